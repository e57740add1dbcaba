// Products of whole numbers of 16 bits by the processor's tiles (AMX), for many rows. A number is 256 times its high
// byte, which has the sign, plus its low one, which has none: four products of bytes, shifted, make the sum that whole.h
// makes, to the last bit. So which rows are multiplied so is a matter of speed alone.
//
// A tile has 16 lines of 64 bytes: a group of 16 rows' factors; or a group of 16 columns' weights, four of each column
// in a line. Both have a group's numbers in the same order: 2i, 32 + 2i, 2i + 1, 33 + 2i for i from 0 to 15.
#pragma once

#include "whole.h"

#if defined(__AMX_INT8__)
#include <immintrin.h>
constexpr bool HAS_TILES = true;
#elif defined(EMULATE_TILES)  // together with EMULATE_WIDE: to test their use on any processor
constexpr bool HAS_TILES = true;
static thread_local uint8_t tile_registers[8][1024];

static void _tile_loadconfig(const void *) {}
static void _tile_release() {}
static void _tile_zero(int tile) { memset(tile_registers[tile], 0, 1024); }
static void _tile_loadd(int tile, const void *from, long) { memcpy(tile_registers[tile], from, 1024); }
static void _tile_stored(int tile, void *to, long) { memcpy(to, tile_registers[tile], 1024); }

template <class A, class B>
static void add_product(int sum, int a, int b) {
    int32_t *const sums = (int32_t *)tile_registers[sum];
    const A *const factors = (const A *)tile_registers[a];
    const B *const weights = (const B *)tile_registers[b];
    for (int line = 0; line < 16; line++)
        for (int column = 0; column < 16; column++)
            for (int k = 0; k < 64; k++)
                sums[16 * line + column] += factors[64 * line + k] * weights[64 * (k / 4) + 4 * column + k % 4];
}

static void _tile_dpbuud(int sum, int a, int b) { add_product<uint8_t, uint8_t>(sum, a, b); }
static void _tile_dpbsud(int sum, int a, int b) { add_product<int8_t, uint8_t>(sum, a, b); }
static void _tile_dpbusd(int sum, int a, int b) { add_product<uint8_t, int8_t>(sum, a, b); }
static void _tile_dpbssd(int sum, int a, int b) { add_product<int8_t, int8_t>(sum, a, b); }
#else
constexpr bool HAS_TILES = false;
#endif

constexpr int TILE_LINES = 16;
constexpr int TILE_BYTES = TILE_LINES * LINE;
constexpr int FEWEST_TILED_ROWS = 32;  // fewer take less time in vectors, as few beyond whole tiles do

// Of so many rows, how many are multiplied in tiles.
template <class Number>
constexpr int tiled_rows(int rows) {
    if (!HAS_TILES || sizeof(Number) == 1 || rows < FEWEST_TILED_ROWS) return 0;
    const int rest = rows % TILE_LINES;
    return rest < TILE_LINES / 2 ? rows - rest : rows;
}

#if !defined(__AMX_INT8__) && !defined(EMULATE_TILES)  // never called
static void split_row(const int16_t *, int, int, int, uint8_t *) {}
template <int ROWS>
static void multiply_tiles(const uint8_t *, const float *, int, const char *, int, int, float *, long, const float *,
                           bool) {}
#else
static_assert(LANES == TILE_LINES && Grid<int16_t>::GROUP == LINE, "a group's row of bytes fills a line");

// All tiles have their full size. A thread sets them up for each product: one that has none set up sleeps faster.
class TileSetup {
   public:
    TileSetup() {
        struct {
            uint8_t palette = 1, start = 0, reserved[14] = {};
            uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            uint8_t lines[16] = {16, 16, 16, 16, 16, 16, 16, 16};
        } sizes;
        _tile_loadconfig(&sizes);
    }
    ~TileSetup() { _tile_release(); }
};

// Two lines of a group's numbers as two of tiles: of low bytes, and of high ones.
static inline void split(const int16_t *first, const int16_t *second, uint8_t *low, uint8_t *high) {
    words x, y;
    memcpy(&x, first, sizeof x);
    memcpy(&y, second, sizeof y);
    const words lows = (x & 0x00FF00FFu) | ((y & 0x00FF00FFu) << 8);
    const words highs = ((x >> 8) & 0x00FF00FFu) | (y & 0xFF00FF00u);
    memcpy(low, &lows, sizeof lows);
    memcpy(high, &highs, sizeof highs);
}

static inline int tiles_of(int rows) { return (rows + TILE_LINES - 1) / TILE_LINES; }

// One of so many rows of quantised numbers into its lines. Tiles are (groups, tiles of rows, 2): one of low bytes, then
// one of high ones.
static void split_row(const int16_t *from, int groups, int row, int rows, uint8_t *bytes) {
    const long stride = tiles_of(rows) * 2 * TILE_BYTES;
    uint8_t *to = bytes + row / TILE_LINES * 2 * TILE_BYTES + row % TILE_LINES * LINE;
    for (int g = 0; g < groups; g++, from += 64, to += stride) split(from, from + 32, to, to + TILE_BYTES);
}

// One product of 16 rows and 16 columns over a group: low times low bytes into tile L, high times high into H, the other
// two into M.
#define MULTIPLY_TILE(L, M, H, factors, weights) \
    _tile_zero(L);                               \
    _tile_zero(M);                               \
    _tile_zero(H);                               \
    _tile_loadd(0, factors, LINE);               \
    _tile_loadd(1, weights, LINE);               \
    _tile_dpbuud(L, 0, 1);                       \
    _tile_loadd(0, factors + TILE_BYTES, LINE);  \
    _tile_dpbsud(M, 0, 1);                       \
    _tile_loadd(1, weights + TILE_BYTES, LINE);  \
    _tile_dpbssd(H, 0, 1);                       \
    _tile_loadd(0, factors, LINE);               \
    _tile_dpbusd(M, 0, 1);

#define STORE_TILES(L, M, H, parts)      \
    _tile_stored(L, (parts)[0], LINE);   \
    _tile_stored(H, (parts)[2], LINE);   \
    _tile_stored(M, (parts)[1], LINE);

// whole.h's `multiply` for rows in `bytes`, up to ROWS of them. Products follow one another in two sets of tiles: while
// one is made, the one before it is stored, and the one before that added to its sums.
template <int ROWS>
static void multiply_tiles(const uint8_t *bytes, const float *a_scales, int rows, const char *b, int groups, int panels,
                           float *c, long c_stride, const float *bias, bool is_sum) {
    typedef ints Parts[3][TILE_LINES];  // of a product: times 1, times 256, times 65536
    struct Product {
        floats *sums, scales;
    };
    const TileSetup setup;
    const int tiles = tiles_of(rows), lines = (int)(block_size<int16_t>() / LINE + tiles) / (2 * tiles);
    floats sums[ROWS][2], nowhere[2 * TILE_LINES];
    alignas(LINE) uint8_t weights[2][2 * TILE_BYTES];  // halves of a panel: low bytes, high ones
    Parts parts[2];
    const auto add = [](const Parts &part, const Product &product) {
#pragma GCC unroll 16
        for (int r = 0; r < TILE_LINES; r++) {
            const ints whole = (part[2][r] << 16) + (part[1][r] << 8) + part[0][r];
            product.sums[2 * r] += __builtin_convertvector(whole, floats) * product.scales;
        }
    };
    for (int panel = 0; panel < panels; panel++) {
        for (int r = 0; r < tiles * TILE_LINES; r++) sums[r][0] = sums[r][1] = floats{};
        Product even = {nowhere, floats{}}, odd = even;  // of which the last sums are not yet added
        for (int g = 0; g < groups; g++, b += block_size<int16_t>()) {
            const int16_t *const numbers = (const int16_t *)b;
            for (int i = 0; i < TILE_LINES; i++)
                for (int half = 0; half < 2; half++)
                    split(numbers + (2 * i + half) * 2 * LANES, numbers + (2 * (i + TILE_LINES) + half) * 2 * LANES,
                          weights[half] + LINE * i, weights[half] + TILE_BYTES + LINE * i);
            const Weights scales = scales_of<int16_t>(b);
            const char *ahead = b + block_size<int16_t>();
            const auto product = [&](int index) {  // of (tiles, 2 halves)
                for (int line = 0; line < lines; line++, ahead += LINE) __builtin_prefetch(ahead, 0, 3);
                return Product{&sums[index / 2 * TILE_LINES][index % 2], index % 2 ? scales.high : scales.low};
            };
            const uint8_t *factors = bytes + (long)g * tiles * 2 * TILE_BYTES;
            for (int t = 0; t < tiles; t++, factors += 2 * TILE_BYTES) {
                MULTIPLY_TILE(2, 3, 4, factors, weights[0]);
                STORE_TILES(5, 6, 7, parts[1]);
                add(parts[0], even);
                even = product(2 * t);
                MULTIPLY_TILE(5, 6, 7, factors, weights[1]);
                STORE_TILES(2, 3, 4, parts[0]);
                add(parts[1], odd);
                odd = product(2 * t + 1);
            }
        }
        STORE_TILES(5, 6, 7, parts[1]);
        add(parts[0], even);
        add(parts[1], odd);
        for (int r = 0; r < rows; r++)
            for (int half = 0; half < 2; half++) {
                const long column = (long)panel * PANEL + half * LANES;
                put(c + r * c_stride + column, sums[r][half], a_scales[r], bias ? bias + column : nullptr, is_sum);
            }
    }
}
#endif
