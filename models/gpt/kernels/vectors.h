// Vectors of floats as wide as the processor's, by the compiler's own extension (GCC, Clang).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(EMULATE_WIDE)  // emulated: to test the width on any processor
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef uint16_t bf16;
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

static inline int padded(int length, int multiple) { return (length + multiple - 1) / multiple * multiple; }

static inline floats load(const float *from) {
    floats value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store(float *to, floats value) { memcpy(to, &value, sizeof value); }

static inline floats all(float value) { return value - floats{}; }

// a * b + c, rounded once. Where a sum is added to only sometimes, compilers fuse in one tile and not in another.
static inline floats fused(floats a, floats b, floats c) {
    float factors[2][LANES], sums[LANES];
    memcpy(factors[0], &a, sizeof a);
    memcpy(factors[1], &b, sizeof b);
    memcpy(sums, &c, sizeof c);
    for (int i = 0; i < LANES; i++) sums[i] = __builtin_fmaf(factors[0][i], factors[1][i], sums[i]);
    return load(sums);
}

// The first `count` lanes of a value, zeros in the others.
static inline floats first_lanes(floats value, int count) {
    ints lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane < count ? value : floats{};
}

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

// 1.5 * 2^23: added to a small number it leaves the nearest whole one in the low bits.
constexpr float TO_WHOLE = 12582912.0f;

// e^x to about 1e-7 (the polynomial of Cephes' exp2f); x is clamped to where the result is a normal float.
static inline floats exponential(floats x) {
    floats power = x * 1.44269504f;
    power = power < -126.0f ? all(-126.0f) : power;
    power = power > 126.0f ? all(126.0f) : power;
    floats whole = power + TO_WHOLE;
    ints exponent = (ints)whole << 23;
    floats rest = power - (whole - TO_WHOLE);
    floats y = rest * 1.535336188e-4f + 1.339887440e-3f;
    y = y * rest + 9.618437357e-3f;
    y = y * rest + 5.550332471e-2f;
    y = y * rest + 2.402264791e-1f;
    y = y * rest + 6.931472029e-1f;
    y = y * rest + 1.0f;
    return (floats)((ints)y + exponent);
}

static inline floats silu(floats x) { return x / (1.0f + exponential(-x)); }

// By the error function of Abramowitz and Stegun 7.1.26, to 1.5e-7 of x.
static inline floats gelu(floats x) {
    const floats size = x < 0.0f ? -x : x, z = size * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z);
    floats y = t * 1.061405429f - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    const floats missing = y * t * exponential(-z * z);  // 1 - erf(z)
    return (x < 0.0f ? floats{} : x) - 0.5f * size * missing;
}

static inline floats gelu_tanh(floats x) {
    return x / (1.0f + exponential(-1.59576912f * (x + 0.044715f * x * x * x)));
}
