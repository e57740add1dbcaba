// Matrices in bytes: panels as in panels.h, of int8, in which GROUP rows of a column share a scale. What they are
// multiplied with is rounded to int8, too, by a scale for each GROUP numbers of a row; products are summed as whole
// numbers within a group, and in float32 from group to group.
//
// A panel is a row of blocks, each of which is all that its group needs: the octets (GROUP / 2, 2 halves, LANES,
// 2 rows), then the scales in bfloat16, (LANES, 2 halves). So a product reads one straight line.
#pragma once

#include <algorithm>

#include "panels.h"

constexpr int GROUP = 32;
constexpr int BLOCK = GROUP * PANEL + (int)sizeof(bf16) * PANEL;  // bytes

// A 32-bit lane of a panel, once widened, holds a column's int16 in two neighbouring rows.
typedef int8_t octets __attribute__((vector_size(2 * LANES)));
typedef int16_t shorts __attribute__((vector_size(4 * LANES)));
typedef int16_t half_shorts __attribute__((vector_size(2 * LANES)));

#if defined(__AVX2__) && !defined(EMULATE_WIDE)
#include <immintrin.h>
#endif

static inline ints add_pairs(ints sum, shorts weights, shorts factors) {
#if defined(__AVX512VNNI__)
    return (ints)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)weights, (__m512i)factors);
#elif defined(__AVX512BW__)
    return sum + (ints)_mm512_madd_epi16((__m512i)weights, (__m512i)factors);
#elif defined(__AVX2__) && !defined(EMULATE_WIDE)
    return sum + (ints)_mm256_madd_epi16((__m256i)weights, (__m256i)factors);
#else
    const ints w = (ints)weights, f = (ints)factors;
    return sum + (w >> 16) * (f >> 16) + ((w << 16) >> 16) * ((f << 16) >> 16);
#endif
}

static inline shorts load_octets(const int8_t *from) {
    octets value;
    memcpy(&value, from, sizeof value);
#if defined(__AVX512BW__)
    return (shorts)_mm512_cvtepi8_epi16((__m256i)value);
#elif defined(__AVX2__) && !defined(EMULATE_WIDE)
    return (shorts)_mm256_cvtepi8_epi16((__m128i)value);  // one instruction, where GCC makes five of the next line
#else
    return __builtin_convertvector(value, shorts);
#endif
}

// One row of `depth` numbers as int16 in the range of int8, with a scale for each group.
static void quantise(const factor *from, int depth, int16_t *to, float *scales) {
    for (int first = 0; first < depth; first += GROUP) {
        float values[GROUP] = {};
        for (int i = 0; i < std::min(GROUP, depth - first); i++)
            values[i] = sizeof(factor) == sizeof(float) ? (float)from[first + i] : widen((bf16)from[first + i]);
        floats largest = {};
        for (int i = 0; i < GROUP; i += LANES) {
            const floats value = load(values + i), size = value < 0.0f ? -value : value;
            largest = size > largest ? size : largest;
        }
        const float most = greatest(largest), inverse = most > 0 ? 127 / most : 0;
        scales[first / GROUP] = most / 127;
        for (int i = 0; i < GROUP; i += LANES) {
            const ints whole = (ints)(load(values + i) * inverse + TO_WHOLE);
            const half_shorts low = __builtin_convertvector(whole, half_shorts);
            memcpy(to + first + i, &low, sizeof low);
        }
    }
}

// c (R, P panels) = a (R, groups) times P panels of b, plus `bias` and what c was, where there is such. If it
// `reads_on`, the P panels after these come into the cache meanwhile.
template <int R, int P>
static void octet_tile(const int16_t *a, const float *a_scales, const int8_t *b, int groups, float *c, long c_stride,
                       const float *bias, bool is_sum, bool reads_on) {
    const long panel_size = (long)groups * BLOCK;
    floats sums[R][P][2];
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++) sums[r][p][0] = sums[r][p][1] = floats{};
    for (int g = 0; g < groups; g++, a += GROUP, b += BLOCK) {
        ints whole[R][P][2];
        for (int r = 0; r < R; r++)
            for (int p = 0; p < P; p++) whole[r][p][0] = whole[r][p][1] = ints{};
        for (int k = 0; k < GROUP; k += 2)
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
                const int8_t *from = b + p * panel_size + k * PANEL;
                if (reads_on) __builtin_prefetch(from + P * panel_size, 0, 2);
                const shorts low = load_octets(from), high = load_octets(from + 2 * LANES);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    int32_t both;
                    memcpy(&both, a + (long)r * groups * GROUP + k, sizeof both);
                    const shorts value = (shorts)(both + ints{});
                    whole[r][p][0] = add_pairs(whole[r][p][0], low, value);
                    whole[r][p][1] = add_pairs(whole[r][p][1], high, value);
                }
            }
        for (int p = 0; p < P; p++) {
            words both;
            memcpy(&both, b + p * panel_size + GROUP * PANEL, sizeof both);
            const floats scales[2] = {(floats)(both << 16), (floats)(both & 0xFFFF0000u)};
            for (int r = 0; r < R; r++)
                for (int half = 0; half < 2; half++) {
                    const floats value = __builtin_convertvector(whole[r][p][half], floats);
                    sums[r][p][half] += value * (scales[half] * a_scales[r * groups + g]);
                }
        }
    }
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++)
            for (int half = 0; half < 2; half++) {
                const long column = p * PANEL + half * LANES;
                floats sum = sums[r][p][half];
                if (bias) sum += load(bias + column);
                if (is_sum) sum += load(c + r * c_stride + column);
                store(c + r * c_stride + column, sum);
            }
}

// c (rows, panels) = quantised a (rows, groups) times b, plus bias and what c was.
static void multiply(const int16_t *a, const float *a_scales, int rows, const int8_t *b, int groups, int panels,
                     float *c, long c_stride, const float *bias, bool is_sum) {
    auto times = [&](auto tile, int row, int panel) {
        tile(a + (long)row * groups * GROUP, a_scales + (long)row * groups, b + (long)panel * groups * BLOCK, groups,
             c + row * c_stride + panel * PANEL, c_stride, bias ? bias + panel * PANEL : nullptr, is_sum,
             row + TILE_ROWS >= rows);
    };
    int panel = 0;
    if (rows == 1)
        for (; panel + 2 <= panels; panel += 2) times(octet_tile<1, 2>, 0, panel);
    for (; panel < panels; panel++)
        for (int row = 0; row < rows; row += TILE_ROWS) switch (rows - row) {
                case 1: times(octet_tile<1, 1>, row, panel); break;
                case 2: times(octet_tile<2, 1>, row, panel); break;
                case 3: times(octet_tile<3, 1>, row, panel); break;
                default: times(octet_tile<4, 1>, row, panel);
            }
}
