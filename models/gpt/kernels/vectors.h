// Vectors of floats as wide as the processor's, by the compiler's own extension (GCC, Clang), and panels: how
// matrices lie in memory so that a product reads them in a straight line.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

// A matrix (K, N) is N / PANEL panels of (K, PANEL) bfloat16. Within a row of a panel, lane i of the low half
// lies beside lane i of the high half: one 32-bit lane holds both, and a shift or a mask makes a float of each.
constexpr int PANEL = 2 * LANES;

typedef uint16_t bf16;
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

static inline floats load(const float *from) {
    floats value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store(float *to, floats value) { memcpy(to, &value, sizeof value); }

static inline void load_panel(const bf16 *from, floats &low, floats &high) {
    words both;
    memcpy(&both, from, sizeof both);
    low = (floats)(both << 16);
    high = (floats)(both & 0xFFFF0000u);
}

// Where column c of a panel lies.
static inline int place_in_panel(int c) { return 2 * (c % LANES) + c / LANES; }

static inline float widen(bf16 value) {
    uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

// Rounds to nearest, ties to even; the value is finite.
static inline bf16 narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bf16)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

static inline float total(floats value) {
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += value[i];
    return sum;
}

static inline float greatest(floats value) {
    float most = value[0];
    for (int i = 1; i < LANES; i++) most = value[i] > most ? value[i] : most;
    return most;
}

static inline floats all(float value) { return value - floats{}; }

// e^x to about 1e-7 (the polynomial of Cephes' exp2f); x is clamped to where the result is a normal float.
static inline floats exponential(floats x) {
    floats power = x * 1.44269504f;
    power = power < -126.0f ? all(-126.0f) : power;
    power = power > 126.0f ? all(126.0f) : power;
    const floats magic = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number in the low bits
    floats whole = power + magic;
    ints exponent = (ints)whole << 23;
    floats rest = power - (whole - magic);
    floats y = rest * 1.535336188e-4f + 1.339887440e-3f;
    y = y * rest + 9.618437357e-3f;
    y = y * rest + 5.550332471e-2f;
    y = y * rest + 2.402264791e-1f;
    y = y * rest + 6.931472029e-1f;
    y = y * rest + 1.0f;
    return (floats)((ints)y + exponent);
}
