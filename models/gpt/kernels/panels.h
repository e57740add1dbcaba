// How matrices lie in memory so that a product reads them in a straight line, and the product.
//
// A matrix (K, N) is N / PANEL panels of (K, PANEL) bfloat16; N is padded with zeros. A 32-bit lane holds a panel's
// numbers of two columns, lane i of the low half beside lane i of the high half: a shift or a mask makes a float of
// each. What they are multiplied with is float32.
#pragma once

#include <type_traits>

#include "vectors.h"

constexpr int PANEL = 2 * LANES;
constexpr int TILE_ROWS = LANES == 16 ? 8 : 4;  // times two vectors: the sums that fit into 32 registers, or 16

// Where row k, column c of a panel lies.
static inline long place_in_panel(int k, int c) { return (long)k * PANEL + 2 * (c % LANES) + c / LANES; }

struct Weights {
    floats low, high;
};

static inline Weights load_weights(const bf16 *from) {
    words both;
    memcpy(&both, from, sizeof both);
    return {(floats)(both << 16), (floats)(both & 0xFFFF0000u)};
}

// c (R, P panels) = a (R, depth) times P panels of b, plus `bias` and what c was, where there is such. What lies
// `ahead` of these, if that is not 0, comes into the cache meanwhile.
template <int R, int P>
static void tile(const float *a, long a_stride, const bf16 *b, long panel_stride, int depth, float *c, long c_stride,
                 const float *bias, bool is_sum, long ahead) {
    floats sums[R][P][2];
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++) sums[r][p][0] = sums[r][p][1] = floats{};
    for (int k = 0; k < depth; k++)
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
            const bf16 *from = b + p * panel_stride + (long)k * PANEL;
            if (ahead) __builtin_prefetch(from + ahead, 0, 2);
            const Weights weights = load_weights(from);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                const float value = a[r * a_stride + k];
                sums[r][p][0] += weights.low * value;
                sums[r][p][1] += weights.high * value;
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

// Calls tile(rows of it, panels of it, row, panel, is_last) until all are done; the first two are constants. A few rows
// take several panels at once, or sums would wait for each other; `is_last` of its panel.
template <class Tile>
static void in_tiles(int rows, int panels, const Tile &tile) {
    std::integral_constant<int, 1> one;
    std::integral_constant<int, 2> two;
    std::integral_constant<int, 3> three;
    std::integral_constant<int, 4> four;
    std::integral_constant<int, TILE_ROWS> most;
    int panel = 0;
    if (rows == 1)
        for (; panel + 4 <= panels; panel += 4) tile(one, four, 0, panel, true);
    if (rows <= 2)
        for (; panel + 2 <= panels; panel += 2)
            if (rows == 1) tile(one, two, 0, panel, true);
            else tile(two, two, 0, panel, true);
    for (; panel < panels; panel++)
        for (int row = 0; row < rows;) {
            const int left = rows - row;
            const auto next = [&](auto R) {
                tile(R, one, row, panel, left == R);
                row += R;
            };
            if (left >= TILE_ROWS) next(most);
            else if (left >= 4) next(four);
            else if (left == 3) next(three);
            else if (left == 2) next(two);
            else next(one);
        }
}

constexpr long NEXT_PANELS = -1;

// c (rows, panels) = a (rows, depth) times b, whose panels are panel_stride apart, plus bias and what c was. What lies
// `ahead` (numbers from b; or the next panels) is fetched while this is multiplied: a few rows would wait for memory.
static void multiply(const float *a, long a_stride, int rows, const bf16 *b, long panel_stride, int depth, int panels,
                     float *c, long c_stride, long ahead, const float *bias = nullptr, bool is_sum = false) {
    in_tiles(rows, panels, [&](auto R, auto P, int row, int panel, bool is_last) {
        tile<R, P>(a + row * a_stride, a_stride, b + panel * panel_stride, panel_stride, depth,
                   c + row * c_stride + panel * PANEL, c_stride, bias ? bias + panel * PANEL : nullptr, is_sum,
                   !is_last ? 0 : ahead == NEXT_PANELS ? P * panel_stride : ahead);
    });
}
