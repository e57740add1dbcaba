// The kernel by itself, for processors on which Python and PyTorch don't run: a small network of GPT-2's block, read as a
// whole and token by token beside others, gives the same bits; and the logits of plain sums in double. Exit status 0.
#include "../../../models/gpt/kernels/step.cpp"

#include <cstdio>
#include <random>

constexpr int HEADS = 3, HEAD = 24, WIDTH = HEADS * HEAD, MLP = 92, VOCABULARY = 61, CONTEXT = 70, SLOTS = 40, LAYERS = 2, LENGTH = 60;

static std::mt19937 chance(1);

static float draw(float spread) { return widen(narrow(std::normal_distribution<float>(0, spread)(chance))); }

// A matrix (columns, depth) and its bias: as they are, and as the kernel has them.
struct Matrix {
    int columns, depth;
    std::vector<float> values, bias;
    std::vector<bf16> panels;

    Matrix(int columns, int depth, int padded_depth, bool has_bias = true)
        : columns(columns), depth(depth), values(columns * depth), bias(padded(columns, PANEL)),
          panels((long)padded(columns, PANEL) * padded_depth) {
        for (int c = 0; c < columns; c++) {
            if (has_bias) bias[c] = draw(0.1f);
            for (int k = 0; k < depth; k++) {
                values[c * depth + k] = draw(0.15f);
                panels[(long)(c / PANEL) * padded_depth * PANEL + place_in_panel(k, c % PANEL)] =
                    narrow(values[c * depth + k]);
            }
        }
    }

    Product product() const { return {(const char *)panels.data(), bias.data(), BFLOAT16}; }

    std::vector<double> times(const std::vector<double> &x) const {
        std::vector<double> y(columns);
        for (int c = 0; c < columns; c++) {
            y[c] = bias[c];
            for (int k = 0; k < depth; k++) y[c] += values[c * depth + k] * x[k];
        }
        return y;
    }
};

struct Block {
    Matrix qkv{3 * HEADS * HEAD, WIDTH, WIDTH}, out{WIDTH, HEADS * HEAD, HEADS * HEAD}, into{MLP, WIDTH, WIDTH};
    Matrix down{WIDTH, MLP, padded(MLP, PANEL)};
    std::vector<bf16> cache;
};

static std::vector<float> gains(WIDTH, 1.1f), shifts(WIDTH, 0.05f);

static std::vector<double> norm(const std::vector<double> &x) {
    double mean = 0, square = 0;
    for (double value : x) mean += value / WIDTH;
    for (double value : x) square += (value - mean) * (value - mean) / WIDTH;
    std::vector<double> y(WIDTH);
    for (int i = 0; i < WIDTH; i++) y[i] = (x[i] - mean) / std::sqrt(square + 1e-5) * gains[i] + shifts[i];
    return y;
}

int main() {
    std::vector<bf16> embedding(VOCABULARY * WIDTH);
    std::vector<float> positions(CONTEXT * WIDTH);
    for (bf16 &value : embedding) value = narrow(draw(1));
    for (float &value : positions) value = draw(0.3f);
    Matrix head(VOCABULARY, WIDTH, WIDTH, false);
    const Norm with{gains.data(), shifts.data()}, without{};
    Network n{LAYERS, WIDTH, HEADS, HEADS, HEAD, MLP, VOCABULARY, CONTEXT, SLOTS, 1, GELU_TANH, 1e-5f,
              embedding.data(), positions.data(), nullptr, with, head.product(), nullptr};
    std::vector<Block> blocks(LAYERS);
    std::vector<Layer> layers;
    for (Block &block : blocks) {
        block.cache.resize((long)n.span() / PLACES * SLOTS * HEADS * n.block_size() + 64);
        layers.push_back({with, without, without, with, block.qkv.product(), block.out.product(), block.into.product(),
                          block.down.product(), block.cache.data()});
    }
    n.layer = layers.data();
    std::vector<float> memory(scratch_size(&n, 2) + 16);
    float *const scratch = (float *)(((uintptr_t)memory.data() + 63) / 64 * 64);
    const int across = n.vocabulary_across();
    Team *const team = make_team(2);

    std::vector<Row> prompt;
    for (int i = 0; i < LENGTH; i++) prompt.push_back({i * 7 % VOCABULARY, 0, i});
    std::vector<uint8_t> every(LENGTH + SLOTS, 1);
    std::vector<float> whole(LENGTH * across), some((SLOTS + 1) * across);
    step(&n, prompt.data(), every.data(), LENGTH, whole.data(), scratch, team, 2);
    for (int i = 0; i < LENGTH; i++) {
        std::vector<Row> rows;
        for (int slot = 2; slot < 2 + i % 37; slot++) rows.push_back({slot, slot, i});
        rows.push_back({prompt[i].token, 1, i});
        step(&n, rows.data(), every.data(), (int)rows.size(), some.data(), scratch, team, 1 + i % 2);
        if (memcmp(&some[(rows.size() - 1) * across], &whole[i * across], VOCABULARY * sizeof(float))) {
            printf("token %d has other bits beside %zu rows\n", i, rows.size() - 1);
            return 1;
        }
    }

    std::vector<std::vector<double>> states(LENGTH, std::vector<double>(WIDTH));
    for (int i = 0; i < LENGTH; i++)
        for (int c = 0; c < WIDTH; c++)
            states[i][c] = widen(embedding[prompt[i].token * WIDTH + c]) + positions[i * WIDTH + c];
    for (const Block &block : blocks) {
        std::vector<std::vector<double>> qkv;
        for (const auto &state : states) qkv.push_back(block.qkv.times(norm(state)));
        for (int i = 0; i < LENGTH; i++) {
            std::vector<double> mixed(HEADS * HEAD);
            for (int h = 0; h < HEADS; h++) {
                std::vector<double> shares;
                double total = 0;
                for (int j = 0; j <= i; j++) {
                    double score = 0;
                    for (int c = 0; c < HEAD; c++) score += qkv[i][h * HEAD + c] * qkv[j][(HEADS + h) * HEAD + c];
                    shares.push_back(std::exp(score / std::sqrt((double)HEAD)));
                    total += shares.back();
                }
                for (int j = 0; j <= i; j++)
                    for (int c = 0; c < HEAD; c++)
                        mixed[h * HEAD + c] += shares[j] / total * qkv[j][(2 * HEADS + h) * HEAD + c];
            }
            const std::vector<double> added = block.out.times(mixed);
            for (int c = 0; c < WIDTH; c++) states[i][c] += added[c];
            std::vector<double> inner = block.into.times(norm(states[i]));
            for (double &x : inner) x = x / (1 + std::exp(-1.59576912 * (x + 0.044715 * x * x * x)));
            const std::vector<double> more = block.down.times(inner);
            for (int c = 0; c < WIDTH; c++) states[i][c] += more[c];
        }
    }
    double largest = 0, error = 0;
    for (int i = 0; i < LENGTH; i++) {
        const std::vector<double> wanted = head.times(norm(states[i]));
        for (int c = 0; c < VOCABULARY; c++) {
            largest = std::max(largest, std::fabs(wanted[c]));
            error = std::max(error, std::fabs(wanted[c] - whole[i * across + c]));
        }
    }
    end_team(team);
    printf("%d lanes, off by %.4f of %.2f\n", lanes(), error, largest);
    return error < 0.03 * largest ? 0 : 1;  // keys and values are cached in bfloat16
}
