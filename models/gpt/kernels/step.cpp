// Tokens in, logits out: one pass of a GPT (RoPE, RMSNorm, SwiGLU, QK-norm, shared keys) over a cache.
//
// A row is one token at one position of one slot; rows of a prompt stand in order. Every sum runs in the order
// of its own row alone, so that a row's bits depend on nothing but what its slot has read.
#include <algorithm>
#include <cmath>

#include "vectors.h"

constexpr int TILE_ROWS = 4;    // times two vectors: the sums that fit into registers
constexpr int BLOCK_ROWS = 64;  // pass through all layers together; activations stay in the cache

struct Layer {
    const float *attention_norm, *q_norm, *k_norm, *mlp_norm;
    const bf16 *qkv, *out, *into, *down;  // panels
    bf16 *keys;                           // (slots, KV, context / PANEL) panels (head_width, PANEL)
    bf16 *values;                         // (slots, KV, head_width / PANEL) panels (context, PANEL)
};

struct Network {
    int32_t layers, width, heads, kv_heads, head_width, mlp_width, vocabulary, context;
    float norm_eps;
    const bf16 *embedding;  // (vocabulary, width)
    const bf16 *head;       // panels, as many as cover the vocabulary
    const float *norm, *frequencies;
    const Layer *layer;
};

// c (R, P panels) = or += a (R, depth) times P panels of b.
template <int R, int P>
static void tile(const float *a, long a_stride, const bf16 *b, long panel_stride, int depth, float *c, long c_stride,
                 bool is_sum) {
    floats sums[R][P][2];
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++) sums[r][p][0] = sums[r][p][1] = floats{};
    for (int k = 0; k < depth; k++)
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
            floats low, high;
            load_panel(b + p * panel_stride + (long)k * PANEL, low, high);
#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                float factor = a[r * a_stride + k];
                sums[r][p][0] += low * factor;
                sums[r][p][1] += high * factor;
            }
        }
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++)
            for (int half = 0; half < 2; half++) {
                float *to = c + r * c_stride + p * PANEL + half * LANES;
                store(to, is_sum ? load(to) + sums[r][p][half] : sums[r][p][half]);
            }
}

// c (rows, columns) = or += a (rows, depth) times b, whose panels are panel_stride apart.
static void multiply(const float *a, long a_stride, int rows, const bf16 *b, long panel_stride, int depth, int columns,
                     float *c, long c_stride, bool is_sum = false) {
    auto times = [&](auto tile, int row, int panel) {
        tile(a + row * a_stride, a_stride, b + panel * panel_stride, panel_stride, depth,
             c + row * c_stride + panel * PANEL, c_stride, is_sum);
    };
    const int panels = columns / PANEL;
    int panel = 0;
    if (rows == 1)  // few rows: several panels at once, or sums would wait for each other
        for (; panel + 4 <= panels; panel += 4) times(tile<1, 4>, 0, panel);
    if (rows == 2)
        for (; panel + 2 <= panels; panel += 2) times(tile<2, 2>, 0, panel);
    for (; panel < panels; panel++)
        for (int row = 0; row < rows; row += TILE_ROWS) switch (std::min(TILE_ROWS, rows - row)) {
                case 1: times(tile<1, 1>, row, panel); break;
                case 2: times(tile<2, 1>, row, panel); break;
                case 3: times(tile<3, 1>, row, panel); break;
                default: times(tile<4, 1>, row, panel);
            }
}

static void normalise(const float *from, const float *weights, int width, float eps, float *to) {
    floats squares = {};
    for (int i = 0; i < width; i += LANES) squares += load(from + i) * load(from + i);
    const float scale = 1 / std::sqrt(total(squares) / width + eps);
    for (int i = 0; i < width; i += LANES) store(to + i, load(from + i) * scale * load(weights + i));
}

static void rotate(float *head, const float *cosines, const float *sines, int half) {
    for (int i = 0; i < half; i += LANES) {
        floats left = load(head + i), right = load(head + half + i), c = load(cosines + i), s = load(sines + i);
        store(head + i, left * c - right * s);
        store(head + half + i, right * c + left * s);
    }
}

// In place, of `scores * scale`; there is room up to a multiple of LANES.
static void softmax(float *scores, int length, float scale) {
    const int end = (length + LANES - 1) / LANES * LANES;
    std::fill(scores + length, scores + end, scores[0]);
    floats highest = load(scores);
    for (int i = LANES; i < end; i += LANES) highest = load(scores + i) > highest ? load(scores + i) : highest;
    const float top = greatest(highest);
    for (int i = 0; i < end; i += LANES) store(scores + i, exponential((load(scores + i) - top) * scale));
    std::fill(scores + length, scores + end, 0.0f);
    floats sum = {};
    for (int i = 0; i < end; i += LANES) sum += load(scores + i);
    const float share = 1 / total(sum);
    for (int i = 0; i < end; i += LANES) store(scores + i, load(scores + i) * share);
}

struct Row {
    int32_t token, slot, position;
};

// Offset of a slot's keys, or values, of one head.
static long slot_start(const Network &n, int slot, int kv) {
    return ((long)slot * n.kv_heads + kv) * n.context * n.head_width;
}

// Norms and turns one row's queries and keys, and writes its keys and values into the cache.
static void remember(const Network &n, const Layer &layer, const Row &row, float *qkv, const float *turn) {
    const int width = n.head_width, half = width / 2, place = row.position % n.context;
    for (int h = 0; h < n.heads + n.kv_heads; h++) {
        float *head = qkv + h * width;
        normalise(head, h < n.heads ? layer.q_norm : layer.k_norm, width, n.norm_eps, head);
        rotate(head, turn, turn + half, half);
    }
    for (int kv = 0; kv < n.kv_heads; kv++) {
        const float *key = qkv + (n.heads + kv) * width, *value = key + n.kv_heads * width;
        bf16 *keys = layer.keys + slot_start(n, row.slot, kv) + (long)(place / PANEL) * width * PANEL;
        bf16 *values = layer.values + slot_start(n, row.slot, kv) + (long)place * PANEL;
        for (int d = 0; d < width; d++) {
            keys[d * PANEL + place_in_panel(place % PANEL)] = narrow(key[d]);
            values[(long)(d / PANEL) * n.context * PANEL + place_in_panel(d % PANEL)] = narrow(value[d]);
        }
    }
}

// One row's heads over what its slot holds: the heads that share a key are the rows of the products.
static void attend(const Network &n, const Layer &layer, const Row &row, const float *qkv, float *scores, float *mixed) {
    const int width = n.head_width, group = n.heads / n.kv_heads;
    const int length = std::min(row.position + 1, n.context), padded = (length + PANEL - 1) / PANEL * PANEL;
    for (int kv = 0; kv < n.kv_heads; kv++) {
        const long start = slot_start(n, row.slot, kv), first = (long)kv * group * width;
        multiply(qkv + first, width, group, layer.keys + start, (long)width * PANEL, width, padded, scores, n.context);
        for (int g = 0; g < group; g++)
            softmax(scores + (long)g * n.context, length, 1 / std::sqrt((float)width));
        multiply(scores, n.context, group, layer.values + start, (long)n.context * PANEL, length, width,
                 mixed + first, width);
    }
}

// `gates` (rows, 2 F): silu of the first half times the second half, into the first.
static void swiglu(float *gates, int rows, int width) {
    for (int r = 0; r < rows; r++, gates += 2 * width)
        for (int i = 0; i < width; i += LANES) {
            floats gate = load(gates + i);
            store(gates + i, gate / (1.0f + exponential(-gate)) * load(gates + width + i));
        }
}

static void pass(const Network &n, const Row *row, int rows, float *scratch, float *states) {
    const int width = n.width, half = n.head_width / 2, inner = n.mlp_width;
    const int qkv_width = (n.heads + 2 * n.kv_heads) * n.head_width;
    float *x = states, *y = scratch, *turn = y + BLOCK_ROWS * width;
    float *qkv = turn + BLOCK_ROWS * 2 * half, *gates = qkv + BLOCK_ROWS * qkv_width;
    float *scores = gates + BLOCK_ROWS * 2 * inner;
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < width; i++) x[r * width + i] = widen(n.embedding[(long)row[r].token * width + i]);
        for (int i = 0; i < half; i++) {
            const float angle = (float)row[r].position * n.frequencies[i];
            turn[r * 2 * half + i] = std::cos(angle);
            turn[r * 2 * half + half + i] = std::sin(angle);
        }
    }
    for (const Layer *layer = n.layer; layer < n.layer + n.layers; layer++) {
        for (int r = 0; r < rows; r++)
            normalise(x + r * width, layer->attention_norm, width, n.norm_eps, y + r * width);
        multiply(y, width, rows, layer->qkv, (long)width * PANEL, width, qkv_width, qkv, qkv_width);
        for (int r = 0; r < rows; r++) {  // rows of a prompt see those before them, and so their keys come first
            remember(n, *layer, row[r], qkv + r * qkv_width, turn + r * 2 * half);
            attend(n, *layer, row[r], qkv + r * qkv_width, scores, y + r * width);
        }
        multiply(y, width, rows, layer->out, (long)width * PANEL, width, width, x, width, true);
        for (int r = 0; r < rows; r++) normalise(x + r * width, layer->mlp_norm, width, n.norm_eps, y + r * width);
        multiply(y, width, rows, layer->into, (long)width * PANEL, width, 2 * inner, gates, 2 * inner);
        swiglu(gates, rows, inner);
        multiply(gates, 2 * inner, rows, layer->down, (long)inner * PANEL, inner, width, x, width, true);
    }
}

extern "C" {

int lanes() { return LANES; }

// Floats of scratch that `step` needs.
long scratch_size(const Network *n) {
    const int qkv_width = (n->heads + 2 * n->kv_heads) * n->head_width;
    return BLOCK_ROWS * (3L * n->width + n->head_width + qkv_width + 2 * n->mlp_width) + (long)n->heads * n->context;
}

// Reads `rows` into the cache. `is_last` marks those whose next token is to be drawn; their logits, each with
// `padded_vocabulary` columns, follow one another in their order.
void step(const Network *n, const Row *row, const uint8_t *is_last, int rows, int padded_vocabulary, float *logits,
          float *scratch) {
    float *states = scratch, *ends = states + BLOCK_ROWS * n->width, *rest = ends + BLOCK_ROWS * n->width;
    for (int first = 0; first < rows; first += BLOCK_ROWS) {
        const int count = std::min(BLOCK_ROWS, rows - first);
        pass(*n, row + first, count, rest, states);
        int num_ends = 0;
        for (int r = 0; r < count; r++)
            if (is_last[first + r])
                normalise(states + r * n->width, n->norm, n->width, n->norm_eps, ends + num_ends++ * n->width);
        multiply(ends, n->width, num_ends, n->head, (long)n->width * PANEL, n->width, padded_vocabulary, logits,
                 padded_vocabulary);
        logits += (long)num_ends * padded_vocabulary;
    }
}
}
