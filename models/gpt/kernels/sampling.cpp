// Draws one token for every row of logits: temperature, min-p, top-k, top-p, by the row's own uniform number. The
// same cuts and the same draw as models/gpt/sampling.py, where they are told.
#include <algorithm>
#include <cmath>

#include "vectors.h"

// The order of floats as that of whole numbers.
static inline int32_t rank_of(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (bits >> 31 & 0x7FFFFFFF);
}

static int count_from(const int32_t *ranks, int length, int32_t least) {
    ints count = {};
    for (int i = 0; i < length; i += LANES) {
        ints some;
        memcpy(&some, ranks + i, sizeof some);
        count -= some >= least;  // a true lane is -1
    }
    int sum = 0;
    for (int i = 0; i < LANES; i++) sum += count[i];
    return sum;
}

// A rank that the k best reach, and their equals: found by halving, with a count at each try.
static int32_t threshold_of(const int32_t *ranks, int length, int k, int32_t lowest, int32_t highest) {
    int64_t low = lowest, high = (int64_t)highest + 1;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        const int count = count_from(ranks, length, (int32_t)middle);
        (count >= k ? low : high) = middle;
        if (count == k) break;
    }
    return (int32_t)low;
}

// Probabilities that are not among the likeliest, whose sum first reaches `limit`, become 0.
static void keep_top_p(double *probabilities, int count, double limit, double *ordered) {
    double sum = 0, before = 0;
    std::copy(probabilities, probabilities + count, ordered);
    std::sort(ordered, ordered + count, [](double a, double b) { return a > b; });
    for (int i = 0; i < count; i++) sum += ordered[i];
    int kept = 0;
    for (; kept < count && before < limit * sum; kept++) before += ordered[kept];
    const double least = ordered[std::max(kept, 1) - 1];
    for (int i = 0; i < count; i++)
        if (probabilities[i] < least) probabilities[i] = 0;
}

static int draw(const double *probabilities, int count, double uniform) {
    double sum = 0, reached = 0;
    for (int i = 0; i < count; i++) sum += probabilities[i];
    const double target = std::min(uniform * sum, std::nextafter(sum, 0.0));
    for (int i = 0; i < count; i++)
        if ((reached += probabilities[i]) > target) return i;
    return count - 1;
}

static const int32_t UNDRAWN = -1;        // as in models/gpt/sampling.py
static const float NO_CHANCE = -87.0f;   // scores so far below the best have none; `exponential` has nothing smaller

struct Cuts {
    double top_p;
    float temperature;   // 0 is greedy
    float lowest_gap;    // scores further below the best are cut; -inf cuts none
    int32_t top_k;       // as many as the vocabulary, or more, cut none
};

extern "C" {

// One token for each row, by its number of `uniforms` in [0, 1). `scratch` has room for 8 numbers of 4 bytes for each
// token of the vocabulary and one vector more.
void choose(const float *logits, int padded_vocabulary, int vocabulary, const Cuts *cuts, const double *uniforms, int rows,
            int32_t *drawn, int32_t *scratch) {
    const int end = (vocabulary + LANES - 1) / LANES * LANES;
    double *probabilities = (double *)scratch, *ordered = probabilities + end;
    int32_t *ranks = scratch + 4 * end, *tokens = ranks + end;
    float *scores = (float *)(tokens + end), *kept = scores + end;
    for (int row = 0; row < rows; row++, logits += padded_vocabulary) {
        const Cuts &cut = cuts[row];
        const float *best = std::max_element(logits, logits + vocabulary);
        const float top = *best / (cut.temperature == 0 ? 1 : cut.temperature);
        int numbers = 0;
        for (int i = 0; i < vocabulary; i++) numbers += logits[i] == logits[i];  // NaN is no number
        if (numbers < vocabulary || !std::isfinite(top)) {
            drawn[row] = UNDRAWN;
            continue;
        }
        if (cut.temperature == 0) {
            drawn[row] = (int32_t)(best - logits);
            continue;
        }
        int32_t lowest = INT32_MAX;
        for (int i = 0; i < vocabulary; i++) {
            scores[i] = logits[i] / cut.temperature;
            ranks[i] = rank_of(scores[i]);
            lowest = std::min(lowest, ranks[i]);
        }
        std::fill(ranks + vocabulary, ranks + end, INT32_MIN);
        const float gap = std::max(cut.lowest_gap, NO_CHANCE);
        const bool is_cut = cut.top_k < vocabulary;
        const int32_t least = is_cut ? threshold_of(ranks, end, cut.top_k, lowest, rank_of(top)) : lowest;
        int count = 0;
        for (int i = 0; i < vocabulary; i++)
            if (ranks[i] >= least && scores[i] - top >= gap) {
                tokens[count] = i;
                kept[count++] = scores[i] - top;
            }
        std::fill(kept + count, kept + (count + LANES - 1) / LANES * LANES, 0.0f);
        for (int i = 0; i < count; i += LANES) store(kept + i, exponential(load(kept + i)));
        std::copy(kept, kept + count, probabilities);
        if (cut.top_p < 1) keep_top_p(probabilities, count, cut.top_p, ordered);
        drawn[row] = tokens[draw(probabilities, count, uniforms[row])];
    }
}
}
