// Matrices in whole numbers of 8 or 16 bits: panels as in panels.h, in which GROUP rows of a column share a scale.
// What they are multiplied with is rounded to 16 bits, with one scale for a row of it. Products are summed as whole
// numbers within a group, and in float32 from group to group: where no instruction multiplies bfloat16, two of these
// are multiplied in the time of one float32.
//
// A panel is a row of blocks, each of which is all that its group needs: the numbers (GROUP / 2, 2 halves, LANES,
// 2 rows), then the scales in bfloat16, (LANES, 2 halves). So a product reads one straight line.
#pragma once

#include <algorithm>

#include "panels.h"

template <class Number>
struct Grid;

template <>
struct Grid<int8_t> {  // to 127
    static constexpr int GROUP = 32, LARGEST_FACTOR = 32767;
};

template <>
struct Grid<int16_t> {  // to 4095, so that the sum of a group fits into 32 bits
    static constexpr int GROUP = 64, LARGEST_FACTOR = 8191;
};

constexpr int LINE = 64;  // bytes that come into a processor's cache together
constexpr int LARGEST_GROUP = Grid<int16_t>::GROUP;

template <class Number>
constexpr long block_size() {  // bytes
    return (Grid<Number>::GROUP * sizeof(Number) + sizeof(bf16)) * PANEL;
}

// A 32-bit lane of a panel, once its numbers have 16 bits, holds a column's in two neighbouring rows.
typedef int8_t octets __attribute__((vector_size(2 * LANES)));
typedef int16_t shorts __attribute__((vector_size(4 * LANES)));
typedef int16_t half_shorts __attribute__((vector_size(2 * LANES)));

#if defined(__AVX2__) && !defined(EMULATE_WIDE)
#include <immintrin.h>
constexpr bool HAS_PAIRS = true;
#else
constexpr bool HAS_PAIRS = false;
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

static inline shorts load_pairs(const int8_t *from) {
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

static inline shorts load_pairs(const int16_t *from) {
    shorts value;
    memcpy(&value, from, sizeof value);
    return value;
}

// The first LANES numbers, of which no more than `count` are there; zeros in the others' place.
static inline floats some(const float *from, int count) { return first_lanes(load(from), count); }

// One row of `depth` numbers as whole ones up to `largest`, with zeros up to `end`; returns its scale, which is no number
// if one of them is none.
static float quantise(const float *from, int depth, int end, int largest, int16_t *to) {
    floats most = {}, zeros = {};
    for (int i = 0; i < depth; i += LANES) {
        const floats value = some(from + i, depth - i), size = value < 0.0f ? -value : value;
        most = size > most ? size : most;
        zeros += value * 0.0f;
    }
    const float highest = greatest(most), inverse = highest > 0 ? largest / highest : 0;
    std::fill(to + depth, to + end, 0);
    for (int i = 0; i < depth; i += LANES) {
        const ints whole = (ints)(some(from + i, depth - i) * inverse + TO_WHOLE);
        const half_shorts low = __builtin_convertvector(whole, half_shorts);
        memcpy(to + i, &low, sizeof low);
    }
    return highest / largest + total(zeros);
}

// Of a block: a panel's scales, of its two halves.
template <class Number>
static inline Weights scales_of(const char *block) {
    return load_weights((const bf16 *)(block + Grid<Number>::GROUP * PANEL * sizeof(Number)));
}

// c = or += a vector's sums times their row's scale, plus `bias`, if there is one.
static inline void put(float *c, floats sums, float scale, const float *bias, bool is_sum) {
    floats before = bias ? load(bias) : floats{};
    if (is_sum) before += load(c);
    store(c, fused(sums, all(scale), before));
}

// c (R, P panels) = a (R, groups) times P panels of b, plus `bias` and what c was, where there is such. With each group
// so many `lines` of memory from `ahead` come into the cache.
template <class Number, int R, int P>
static void whole_tile(const int16_t *a, const float *a_scales, const char *b, int groups, float *c, long c_stride,
                       const float *bias, bool is_sum, const char *ahead, int lines) {
    constexpr int GROUP = Grid<Number>::GROUP;
    const long panel_size = groups * block_size<Number>();
    floats sums[R][P][2];
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++) sums[r][p][0] = sums[r][p][1] = floats{};
    for (int g = 0; g < groups; g++, b += block_size<Number>()) {
        for (int line = 0; line < lines; line++, ahead += LINE) __builtin_prefetch(ahead, 0, 2);
        ints whole[R][P][2];
        for (int r = 0; r < R; r++)
            for (int p = 0; p < P; p++) whole[r][p][0] = whole[r][p][1] = ints{};
#pragma GCC unroll 4
        for (int k = 0; k < GROUP; k += 2)
#pragma GCC unroll 4
            for (int p = 0; p < P; p++) {
                const Number *from = (const Number *)(b + p * panel_size) + k * PANEL;
                const shorts low = load_pairs(from), high = load_pairs(from + 2 * LANES);
#pragma GCC unroll 8
                for (int r = 0; r < R; r++) {
                    int32_t both;
                    memcpy(&both, a + ((long)r * groups + g) * GROUP + k, sizeof both);
                    const shorts value = (shorts)(both + ints{});
                    whole[r][p][0] = add_pairs(whole[r][p][0], low, value);
                    whole[r][p][1] = add_pairs(whole[r][p][1], high, value);
                }
            }
        for (int p = 0; p < P; p++) {
            const Weights scales = scales_of<Number>(b + p * panel_size);
            for (int r = 0; r < R; r++) {
                sums[r][p][0] += __builtin_convertvector(whole[r][p][0], floats) * scales.low;
                sums[r][p][1] += __builtin_convertvector(whole[r][p][1], floats) * scales.high;
            }
        }
    }
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++)
            for (int half = 0; half < 2; half++) {
                const long column = p * PANEL + half * LANES;
                put(c + r * c_stride + column, sums[r][p][half], a_scales[r], bias ? bias + column : nullptr, is_sum);
            }
}

// c (rows, panels) = quantised a (rows, groups) times b, plus bias and what c was. The next panels are fetched
// meanwhile, a part of them with each tile: fetched at once, lines would wait for each other.
template <class Number>
static void multiply(const int16_t *a, const float *a_scales, int rows, const char *b, int groups, int panels,
                     float *c, long c_stride, const float *bias, bool is_sum) {
    const long panel_size = groups * block_size<Number>();
    const int tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    in_tiles(rows, panels, [&](auto R, auto P, int row, int panel, bool) {
        const long part = rows == 1 ? 0 : P * panel_size / tiles;
        whole_tile<Number, R, P>(a + (long)row * groups * Grid<Number>::GROUP, a_scales + row, b + panel * panel_size,
                                 groups, c + row * c_stride + panel * PANEL, c_stride,
                                 bias ? bias + panel * PANEL : nullptr, is_sum,
                                 b + (panel + P) * panel_size + row / TILE_ROWS * part,
                                 (int)((part + LINE * groups - 1) / (LINE * groups)));
    });
}
