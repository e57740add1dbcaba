// Tokens in, logits out: one pass of a GPT over a cache. `Network` says which blocks it has.
//
// A row is one token at one position of one slot; rows of a prompt stand in order. Every sum runs in the order
// of its own row alone, so that a row's bits depend on nothing but what its slot has read.
#include <algorithm>

#include "panels.h"
#include "team.h"
#include "tiles.h"
#include "whole.h"

constexpr int BLOCK_ROWS = 128;  // pass through all layers together; activations stay in the cache
constexpr int PLACES = 4 * PANEL;  // positions whose keys and values lie in one block of the cache
constexpr int HEAD_MULTIPLE = 8;  // of a head's width
constexpr int BUNDLE_ROWS = 16;  // of a product with keys and values, which are read once for all of them

struct Norm {
    const float *weights, *bias;  // no weights: no norm; no bias: none
};

enum Format : int32_t { BFLOAT16, INT16, INT8 };  // of a product's weights: as in panels.h, or in whole.h

struct Product {
    const char *weights;
    const float *bias;  // or none
    Format format;
};

struct Layer {
    Norm attention_norm, q_norm, k_norm, mlp_norm;
    Product qkv, out, into, down;
    bf16 *cache;  // (context / PLACES, slots, KV) blocks: keys, then values, of PLACES positions for one head
};

enum Activation : int32_t { SWIGLU, GELU, GELU_TANH };

struct Network {
    int32_t layers, width, heads, kv_heads, head_width, mlp_width, vocabulary, context, slots, is_centred, activation;
    float norm_eps;
    const bf16 *embedding;     // (vocabulary, width)
    const float *positions;    // (context, width), or none
    const float *frequencies;  // of rotary positions, or none
    Norm norm;
    Product head;
    const Layer *layer;

    // Sizes in whole panels.
    int across() const { return padded(width, PANEL); }
    int qkv_across() const { return padded((heads + 2 * kv_heads) * head_width, PANEL); }
    int head_across() const { return padded(head_width, PANEL); }
    int inner_across() const { return padded(mlp_width, PANEL); }
    int into_across() const { return inner_across() * (activation == SWIGLU ? 2 : 1); }
    int vocabulary_across() const { return padded(vocabulary, PANEL); }
    int span() const { return padded(context, PLACES); }
    int group() const { return heads / kv_heads; }
    long keys_size() const { return (long)head_width * PLACES; }  // of a block: panels (head_width, PANEL)
    long block_size() const { return keys_size() + (long)head_across() * PLACES; }  // and values: (PLACES, PANEL)
    int bundle() const { return std::max(1, BUNDLE_ROWS / group()); }  // rows of a prompt that attend together
};

struct Row {
    int32_t token, slot, position;
};

// Memory for one pass; sizes in floats, each part on a border of 64 bytes.
struct Scratch {
    float *states, *turns, *qkv, *gates, *normed, *queries, *attended, *inner;
    int16_t *rounded;  // of a product's rows, for weights in whole numbers
    uint8_t *bytes;    // the same, for tiles
    float *scales;     // of these rows
    float *scores, *shares, *asked, *mixed;  // a thread's own
    long own;  // floats that each thread has to itself

    Scratch(const Network &n, float *memory) : next_(memory) {
        const int heads_width = n.heads * n.head_width, most = n.bundle() * n.group();
        take(states, BLOCK_ROWS * n.across());
        take(turns, BLOCK_ROWS * n.head_width);
        take(qkv, BLOCK_ROWS * n.qkv_across());
        take(gates, BLOCK_ROWS * n.into_across());
        take(normed, BLOCK_ROWS * n.across());
        take(queries, BLOCK_ROWS * heads_width);
        take(attended, BLOCK_ROWS * n.across());
        take(inner, BLOCK_ROWS * n.inner_across());
        const long numbers = (long)BLOCK_ROWS * padded(std::max(n.across(), n.inner_across()), LARGEST_GROUP);
        take(rounded, numbers);
        take(bytes, HAS_TILES ? 2 * numbers : 0);
        take(scales, BLOCK_ROWS);
        float *const start = next_;
        take(scores, most * n.span());
        take(shares, most * n.span());
        take(asked, most * n.head_width);
        take(mixed, most * n.head_across());
        own = next_ - start;
    }

    long size(const float *memory, int threads) const { return next_ - memory + own * (threads - 1); }

   private:
    float *next_;

    template <class Number>
    void take(Number *&part, long count) {
        part = (Number *)next_;
        next_ += (count * sizeof(Number) / sizeof(float) + 16 + 15) / 16 * 16;
    }
};

static void normalise(const Network &n, const Norm &norm, const float *from, int width, float *to) {
    floats sum = {}, squares = {};
    float mean = 0;
    if (n.is_centred) {
        for (int i = 0; i < width; i += LANES) sum += first_lanes(load(from + i), width - i);
        mean = total(sum) / width;
    }
    for (int i = 0; i < width; i += LANES) {
        const floats off = first_lanes(load(from + i) - mean, width - i);
        squares += off * off;
    }
    const float scale = 1 / std::sqrt(total(squares) / width + n.norm_eps);
    for (int i = 0; i < width; i++) {
        const float value = (from[i] - mean) * scale * norm.weights[i];
        to[i] = norm.bias ? value + norm.bias[i] : value;
    }
}

static void rotate(float *head, const float *cosines, const float *sines, int half) {
    for (int i = 0; i < half; i++) {
        const float left = head[i], right = head[half + i];
        head[i] = left * cosines[i] - right * sines[i];
        head[half + i] = right * cosines[i] + left * sines[i];
    }
}

// Of `scores * scale`, with zeros from `length` up to `end`, a multiple of LANES.
static void softmax(float *scores, int length, int end, float scale, float *shares) {
    const int last = padded(length, LANES);
    std::fill(scores + length, scores + last, scores[0]);
    floats highest = load(scores);
    for (int i = LANES; i < last; i += LANES) highest = load(scores + i) > highest ? load(scores + i) : highest;
    const float top = greatest(highest);
    for (int i = 0; i < last; i += LANES) store(scores + i, exponential((load(scores + i) - top) * scale));
    std::fill(scores + length, scores + end, 0.0f);
    floats sum = {};
    for (int i = 0; i < last; i += LANES) sum += load(scores + i);
    const float share = 1 / total(sum);
    for (int i = 0; i < end; i += LANES) store(shares + i, load(scores + i) * share);
}

// One pass of up to BLOCK_ROWS rows.
class Pass {
   public:
    Pass(const Network &network, Team &team, float *memory) : n(network), team_(team), s(network, memory) {}

    // Reads rows into the cache; logits after those that are marked. Returns how many these are.
    int read(const Row *row, const uint8_t *is_answered, int rows, float *logits) {
        for_rows(rows, [&](int r) { embed(row[r], r); });
        int bundles = find_bundles(row, rows);
        const int heads_width = n.heads * n.head_width;
        for (const Layer *layer = n.layer; layer < n.layer + n.layers; layer++) {
            multiply_normed_by(layer->qkv, layer->attention_norm, rows, s.qkv, n.qkv_across());
            share_heads(bundles, [&](int first, int last, int kv, int) {
                for (int r = first; r < last; r++) remember(*layer, row[r], r, kv);
            });
            if (layer == n.layer + n.layers - 1) {  // of others the cache has all that anybody asks for
                rows = keep_answered(row, is_answered, rows);
                if (!rows) return 0;
                row = answered_;
                bundles = find_bundles(row, rows);
            }
            share_heads(bundles, [&](int first, int last, int kv, int worker) {
                attend(*layer, row + first, first, last - first, kv, worker);
            });
            add_multiplied_by(layer->out, s.attended, n.across(), heads_width, rows);
            multiply_normed_by(layer->into, layer->mlp_norm, rows, s.gates, n.into_across(), true);
            add_multiplied_by(layer->down, s.inner, n.inner_across(), n.inner_across(), rows);
        }
        multiply_normed_by(n.head, n.norm, rows, logits, n.vocabulary_across());
        return rows;
    }

   private:
    const Network &n;
    Team &team_;
    Scratch s;
    int starts_[BLOCK_ROWS + 1];  // of bundles: rows of one prompt that stand side by side
    Row answered_[BLOCK_ROWS];

    float *own(float *part, int worker) const { return part + s.own * worker; }

    // For a few rows, waking others takes longer than the work.
    template <class Work>
    void for_rows(int rows, const Work &work) {
        if (rows < 8)
            for (int r = 0; r < rows; r++) work(r);
        else
            team_.share(rows, [&](int r, int) { work(r); });
    }

    int find_bundles(const Row *row, int rows) {
        int bundles = 0;
        for (int r = 0; r < rows; r++) {
            const bool follows = r > 0 && row[r].slot == row[r - 1].slot && row[r].position == row[r - 1].position + 1;
            if (!follows || row[r].position >= n.context || r - starts_[bundles - 1] == n.bundle())
                starts_[bundles++] = r;
        }
        starts_[bundles] = rows;
        return bundles;
    }

    // Moves the rows that are marked to the front; returns how many.
    int keep_answered(const Row *row, const uint8_t *is_answered, int rows) {
        const int heads_width = n.heads * n.head_width;
        int kept = 0;
        for (int r = 0; r < rows; r++) {
            if (!is_answered[r]) continue;
            answered_[kept] = row[r];
            if (kept < r) {
                std::copy_n(s.states + (long)r * n.across(), n.across(), s.states + (long)kept * n.across());
                std::copy_n(s.queries + (long)r * heads_width, heads_width, s.queries + (long)kept * heads_width);
            }
            kept++;
        }
        return kept;
    }

    void embed(const Row &row, int r) {
        float *x = s.states + (long)r * n.across(), *turn = s.turns + (long)r * n.head_width;
        const bf16 *embedding = n.embedding + (long)row.token * n.width;
        for (int i = 0; i < n.width; i++) x[i] = widen(embedding[i]);
        std::fill(x + n.width, x + n.across(), 0.0f);
        if (n.positions)
            for (int i = 0; i < n.width; i++) x[i] += n.positions[(long)row.position * n.width + i];
        const int half = n.head_width / 2;
        for (int i = 0; n.frequencies && i < half; i++) {
            const float angle = (float)row.position * n.frequencies[i];
            turn[i] = std::cos(angle);
            turn[half + i] = std::sin(angle);
        }
    }

    // Calls work(first row, last row, head of keys, worker) for each bundle and each head: neighbours in the cache.
    template <class Work>
    void share_heads(int bundles, const Work &work) {
        team_.share(bundles * n.kv_heads, [&](int item, int worker) {
            const int bundle = item / n.kv_heads;
            work(starts_[bundle], starts_[bundle + 1], item % n.kv_heads, worker);
        });
    }

    // c (rows, across) = the norm of the states times a matrix.
    void multiply_normed_by(const Product &by, const Norm &norm, int rows, float *c, int across, bool is_into = false) {
        auto prepare = [&](int r) {
            const long start = (long)r * n.across();
            normalise(n, norm, s.states + start, n.width, s.normed + start);
        };
        multiply_by(by, prepare, s.normed, n.across(), n.width, rows, c, across, false, is_into);
    }

    // The states += a (rows, depth) times a matrix.
    void add_multiplied_by(const Product &by, const float *a, long a_stride, int depth, int rows) {
        multiply_by(by, [](int) {}, a, a_stride, depth, rows, s.states, n.across(), true, false);
    }

    // c (rows, across) = or += a (rows, depth), once each row is prepared, times a matrix, column by column among the
    // team.
    template <class Prepare>
    void multiply_by(const Product &by, const Prepare &prepare, const float *a, long a_stride, int depth, int rows,
                     float *c, int across, bool is_sum, bool is_into) {
        auto share = [&](auto multiply_panels) {
            const int panels = across / PANEL, unit = rows == 1 ? 4 : 2;
            team_.share((panels + unit - 1) / unit, [&](int block, int) {
                const int first = block * unit, count = std::min(unit, panels - first);
                multiply_panels(first, count, by.bias ? by.bias + first * PANEL : nullptr);
                if (is_into) activate(rows, first, count);
            });
        };
        auto share_whole = [&](auto number) {
            typedef decltype(number) Number;
            const int groups = padded(depth, Grid<Number>::GROUP) / Grid<Number>::GROUP;
            const int end = groups * Grid<Number>::GROUP, tiled = tiled_rows<Number>(rows);
            for_rows(rows, [&](int r) {
                int16_t *const row = s.rounded + (long)r * end;
                prepare(r);
                s.scales[r] = quantise(a + r * a_stride, depth, end, Grid<Number>::LARGEST_FACTOR, row);
                if (r < tiled) split_row(row, groups, r, tiled, s.bytes);
            });
            share([&](int first, int count, const float *bias) {
                const char *const weights = by.weights + first * groups * block_size<Number>();
                float *const to = c + first * PANEL;
                if (tiled)
                    multiply_tiles<BLOCK_ROWS>(s.bytes, s.scales, tiled, weights, groups, count, to, across, bias,
                                               is_sum);
                if (tiled < rows)
                    multiply<Number>(s.rounded + (long)tiled * end, s.scales + tiled, rows - tiled, weights, groups,
                                     count, to + (long)tiled * across, across, bias, is_sum);
            });
        };
        if (by.format == INT8) return share_whole(int8_t());
        if (by.format == INT16) return share_whole(int16_t());
        for_rows(rows, prepare);
        const long stride = (long)depth * PANEL;
        share([&](int first, int count, const float *bias) {
            // One row reads four panels side by side, which the processor foresees by itself.
            multiply(a, a_stride, rows, (const bf16 *)by.weights + first * stride, stride, depth, count,
                     c + first * PANEL, across, rows == 1 ? 0 : NEXT_PANELS, bias, is_sum);
        });
    }

    // Of some panels of `gates` into `inner`. SwiGLU's gates and values take turns, a panel each.
    void activate(int rows, int first, int count) {
        const bool is_paired = n.activation == SWIGLU;
        for (int r = 0; r < rows; r++)
            for (int panel = first; panel < first + count; panel += is_paired ? 2 : 1) {
                const float *from = s.gates + (long)r * n.into_across() + panel * PANEL;
                float *to = s.inner + (long)r * n.inner_across() + panel / (is_paired ? 2 : 1) * PANEL;
                for (int i = 0; i < PANEL; i += LANES) {
                    const floats x = load(from + i);
                    store(to + i, is_paired                  ? silu(x) * load(from + PANEL + i)
                                  : n.activation == GELU ? gelu(x)
                                                         : gelu_tanh(x));
                }
            }
    }

    // Norms and turns the queries and keys of one row that belong to one head of keys, and writes its keys and values
    // into the cache.
    void remember(const Layer &layer, const Row &row, int r, int kv) {
        const int width = n.head_width, place = row.position % n.context;
        float *qkv = s.qkv + (long)r * n.qkv_across();
        const float *turn = s.turns + (long)r * width;
        for (int h = kv * n.group(); h < (kv + 1) * n.group(); h++) {
            turn_head(layer.q_norm, qkv + h * width, turn);
            std::copy_n(qkv + h * width, width, s.queries + ((long)r * n.heads + h) * width);
        }
        float *key = qkv + (n.heads + kv) * width, *value = key + n.kv_heads * width;
        turn_head(layer.k_norm, key, turn);
        bf16 *block = block_of(layer, row.slot, place / PLACES, kv), *values = block + n.keys_size();
        bf16 *keys = block + place % PLACES / PANEL * width * PANEL;
        for (int first = 0; first < width; first += HEAD_MULTIPLE) {
            bf16 some_keys[HEAD_MULTIPLE], some_values[HEAD_MULTIPLE];
            for (int i = 0; i < HEAD_MULTIPLE; i++) some_keys[i] = narrow(key[first + i]);
            for (int i = 0; i < HEAD_MULTIPLE; i++) some_values[i] = narrow(value[first + i]);
            bf16 *panel = values + first / PANEL * PLACES * PANEL;
            for (int i = 0; i < HEAD_MULTIPLE; i++) {
                keys[place_in_panel(first + i, place % PANEL)] = some_keys[i];
                panel[place_in_panel(place % PLACES, (first + i) % PANEL)] = some_values[i];
            }
        }
    }

    void turn_head(const Norm &norm, float *head, const float *turn) const {
        if (norm.weights) normalise(n, norm, head, n.head_width, head);
        if (n.frequencies) rotate(head, turn, turn + n.head_width / 2, n.head_width / 2);
    }

    bf16 *block_of(const Layer &layer, int slot, int block, int kv) const {
        return layer.cache + (((long)block * n.slots + slot) * n.kv_heads + kv) * n.block_size();
    }

    // Some rows of one slot over what it holds, through the heads that share one key: they are the rows of the
    // products. Rows see those before them, and themselves: what is beyond gets no share.
    void attend(const Layer &layer, const Row *row, int r, int rows, int kv, int worker) {
        const int width = n.head_width, group = n.group(), all_rows = rows * group, across = n.head_across();
        const int length = std::min(row[rows - 1].position + 1, n.context), end = padded(length, PANEL);
        float *asked = own(s.asked, worker), *shares = own(s.shares, worker);
        float *scores = own(s.scores, worker), *mixed = own(s.mixed, worker);
        for (int i = 0; i < all_rows; i++)
            std::copy_n(s.queries + ((long)(r + i / group) * n.heads + kv * group + i % group) * width, width,
                        asked + i * width);
        const bf16 *const keys = block_of(layer, row->slot, 0, kv), *const values = keys + n.keys_size();
        const long stride = (long)n.slots * n.kv_heads * n.block_size(), last = (long)(length - 1) / PLACES * stride;
        // While a block is multiplied the next one is fetched; after all keys values, and then the next head's keys.
        for (long k = 0, at = 0; at <= last; k += PLACES, at += stride)
            multiply(asked, width, all_rows, keys + at, (long)width * PANEL, width,
                     (int)std::min<long>(PLACES, end - k) / PANEL, scores + k, n.span(),
                     at < last ? stride : values - keys - last);
        for (int i = 0; i < all_rows; i++)
            softmax(scores + (long)i * n.span(), std::min(row[i / group].position + 1, n.context), end,
                    1 / std::sqrt((float)width), shares + (long)i * n.span());
        for (long k = 0, at = 0; at <= last; k += PLACES, at += stride)
            multiply(shares + k, n.span(), all_rows, values + at, PLACES * PANEL,
                     (int)std::min<long>(PLACES, length - k), across / PANEL, mixed, across,
                     at < last ? stride : keys + n.block_size() - values - last, nullptr, k > 0);
        for (int i = 0; i < all_rows; i++) {
            std::copy_n(mixed + i * across, width,
                        s.attended + (long)(r + i / group) * n.across() + (kv * group + i % group) * width);
        }
    }
};

extern "C" {

int lanes() { return LANES; }
int has_pairs() { return HAS_PAIRS; }

Team *make_team(int size) { return new Team(size); }
void end_team(Team *team) { delete team; }

// Floats of scratch that `step` needs, on a border of 64 bytes.
long scratch_size(const Network *n, int threads) {
    float *const none = nullptr;
    return Scratch(*n, none).size(none, threads);
}

// Reads `rows` into the cache. `is_answered` marks those whose logits are asked for; these, in whole panels of
// columns, follow one another in their order.
void step(const Network *n, const Row *row, const uint8_t *is_answered, int rows, float *logits, float *scratch,
          Team *team, int threads) {
    team->open(threads);
    Pass pass(*n, *team, scratch);
    for (int first = 0; first < rows; first += BLOCK_ROWS) {
        const int count = std::min(BLOCK_ROWS, rows - first);
        logits += (long)pass.read(row + first, is_answered + first, count, logits) * n->vocabulary_across();
    }
    team->close();
}
}
