// What stands between the landscape generator's convolutions, a picture at a time: enlarging, scaling and shifting
// as the map says, noise, leaky ReLU and the repeated edge in one pass, where PyTorch's operators take one each.
// Pixels lie row by row, a pixel's channels side by side; sums are float.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

struct bf16 {
  uint16_t bits;
};

inline float load(float value) { return value; }
inline float load(bf16 value) {
  uint32_t bits = uint32_t(value.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, 4);
  return wide;
}
inline void store(float& to, float value) { to = value; }
inline void store(bf16& to, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  to.bits = uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);  // to nearest, ties to even
}

// A picture whose rows are read as they are, or enlarged to twice its sides, bilinear.
template <class T>
struct Source {
  const T* pixels;
  int height, width, channels;
  bool grows;
  std::vector<float> mixed, row;

  Source(const void* pixels, int height, int width, int channels, bool grows)
      : pixels(static_cast<const T*>(pixels)), height(height), width(width), channels(channels), grows(grows),
        mixed(grows ? size_t(width) * channels : 0), row(size_t(width) * channels * (grows ? 2 : 1)) {}

  int painted_height() const { return grows ? 2 * height : height; }
  int painted_width() const { return grows ? 2 * width : width; }

  const float* read(int y) {
    size_t line = size_t(width) * channels;
    if (!grows) {
      for (size_t i = 0; i < line; i++) row[i] = load(pixels[y * line + i]);
      return row.data();
    }
    int far = std::clamp(y % 2 ? y / 2 + 1 : y / 2 - 1, 0, height - 1);
    const T *near_line = pixels + y / 2 * line, *far_line = pixels + far * line;
    for (size_t i = 0; i < line; i++) mixed[i] = 0.75f * load(near_line[i]) + 0.25f * load(far_line[i]);
    for (int x = 0; x < width; x++) {
      const float* here = &mixed[size_t(x) * channels];
      const float* left = &mixed[size_t(std::max(x - 1, 0)) * channels];
      const float* right = &mixed[size_t(std::min(x + 1, width - 1)) * channels];
      float* first = &row[size_t(2 * x) * channels];
      float* second = first + channels;
      for (int c = 0; c < channels; c++) {
        first[c] = 0.75f * here[c] + 0.25f * left[c];
        second[c] = 0.75f * here[c] + 0.25f * right[c];
      }
    }
    return row.data();
  }
};

inline float leaky(float value, float slope) { return value < 0 ? value * slope : value; }

// Fills the border, one pixel wide, of (height + 2, width + 2) pixels with what is beside it.
template <class T>
void repeat_edge(T* padded, int height, int width, int channels) {
  size_t pixel = channels * sizeof(T), line = size_t(width + 2) * channels;
  for (int y = 1; y <= height; y++) {
    T* row = padded + y * line;
    std::memcpy(row, row + channels, pixel);
    std::memcpy(row + size_t(width + 1) * channels, row + size_t(width) * channels, pixel);
  }
  std::memcpy(padded, padded + line, line * sizeof(T));
  std::memcpy(padded + (height + 1) * line, padded + height * line, line * sizeof(T));
}

// What scales and shifts pixels: a row of figures for each class, one for the height, one for each tint.
template <class T>
struct Map {
  const T* shares;  // of each class, (height, width, num_classes)
  int num_classes;
  const T* rows;    // (num_classes + 1 + num_tints, figures)
  const T* tints;   // (num_tints, tint_height, tint_width), or none
  int num_tints, tint_height, tint_width;
};

// Where a pixel's middle lies among `from` pixels that `to` are enlarged from, bilinear.
struct Between {
  int first, second;
  float weight;  // of the second

  Between(int place, int to, int from) {
    float middle = std::max((place + 0.5f) * from / to - 0.5f, 0.0f);
    first = int(middle);
    second = std::min(first + 1, from - 1);
    weight = middle - first;
  }
};

// The tints of one row of pixels, `width` of each.
template <class T>
void read_tints(const Map<T>& map, Between down, const std::vector<Between>& along, float* line, float* tints) {
  for (int t = 0; t < map.num_tints; t++, tints += along.size()) {
    const T* tint = map.tints + size_t(t) * map.tint_height * map.tint_width;
    const T *above = tint + size_t(down.first) * map.tint_width, *below = tint + size_t(down.second) * map.tint_width;
    for (int x = 0; x < map.tint_width; x++)
      line[x] = load(above[x]) * (1 - down.weight) + load(below[x]) * down.weight;
    for (size_t x = 0; x < along.size(); x++)
      tints[x] = line[along[x].first] * (1 - along[x].weight) + line[along[x].second] * along[x].weight;
  }
}

inline void add(std::vector<float>& sums, float weight, const float* row) {
  for (size_t c = 0; c < sums.size(); c++) sums[c] += weight * row[c];
}

// Paints one pixel. Of its figures a third each are what its channels are scaled by, shifted by, and noise's gain.
template <class T, class F>
void paint(const float* values, const F* figures, int channels, const T* noise, float slope, T* to) {
  const F *shift = figures + channels, *gain = shift + channels;
  if (noise) {
    float draw = load(*noise);
    for (int c = 0; c < channels; c++)
      store(to[c], leaky(values[c] * load(figures[c]) + (load(shift[c]) + load(gain[c]) * draw), slope));
  } else {
    for (int c = 0; c < channels; c++) store(to[c], leaky(values[c] * load(figures[c]) + load(shift[c]), slope));
  }
}

// Paints all pixels, whose figures `figures_of(y, x)` gives, asked in their order, and repeats the edge.
template <class T, class FiguresOf>
void paint_all(Source<T>& source, FiguresOf figures_of, const T* noise, float slope, T* out) {
  int height = source.painted_height(), width = source.painted_width(), channels = source.channels;
  for (int y = 0; y < height; y++) {
    const float* values = source.read(y);
    T* to = out + (size_t(y + 1) * (width + 2) + 1) * channels;
    for (int x = 0; x < width; x++, values += channels, to += channels) {
      paint(values, figures_of(y, x), channels, noise, slope, to);
      if (noise) noise++;
    }
  }
  repeat_edge(out, height, width, channels);
}

template <class T>
void modulate_each(Source<T> source, const T* figures, const T* noise, float slope, T* out) {
  size_t size = (noise ? 3 : 2) * source.channels, line = source.painted_width() * size;
  paint_all(source, [=](int y, int x) { return figures + y * line + x * size; }, noise, slope, out);
}

template <class T>
void modulate(Source<T> source, const Map<T>& map, const T* noise, float slope, T* out) {
  int height = source.painted_height(), width = source.painted_width();
  int size = (noise ? 3 : 2) * source.channels;  // scale, shift, and how loud noise is
  int num_rows = map.num_classes + 1 + map.num_tints;
  std::vector<float> table(size_t(num_rows) * size), of_classes(size), tinted(size);
  for (size_t i = 0; i < table.size(); i++) table[i] = load(map.rows[i]);
  const float* of_height = &table[size_t(map.num_classes) * size];
  std::vector<Between> along;  // and tints of one row of pixels
  for (int x = 0; map.tints && x < width; x++) along.emplace_back(x, width, map.tint_width);
  std::vector<float> line(map.tint_width), tints(size_t(width) * map.num_tints);
  auto figures_of = [&](int y, int x) {
    const T* shares = map.shares + (size_t(y) * width + x) * map.num_classes;
    if (x == 0 && map.tints)
      read_tints(map, Between(y, height, map.tint_height), along, line.data(), tints.data());
    if (x == 0 || std::memcmp(shares - map.num_classes, shares, map.num_classes * sizeof(T))) {
      float tall = height > 1 ? 1 - 2.0f * y / (height - 1) : 1;
      for (int c = 0; c < size; c++) of_classes[c] = tall * of_height[c];
      for (int k = 0; k < map.num_classes; k++)
        if (float share = load(shares[k])) add(of_classes, share, &table[size_t(k) * size]);
    }
    const float* figures = of_classes.data();
    for (int t = 0; map.tints && t < map.num_tints; t++) {
      float tint = tints[size_t(t) * width + x];
      if (tint == 0) continue;
      if (figures != tinted.data()) tinted = of_classes;
      figures = tinted.data();
      add(tinted, tint, &table[size_t(map.num_classes + 1 + t) * size]);
    }
    return figures;
  };
  paint_all(source, figures_of, noise, slope, out);
}

template <class T>
void join(Source<T> source, const T* other, float weight, bool is_last, float slope, T* out) {
  int height = source.painted_height(), width = source.painted_width(), channels = source.channels;
  size_t line = size_t(width) * channels;
  for (int y = 0; y < height; y++, other += line) {
    const float* values = source.read(y);
    if (is_last) {
      T* to = out + (size_t(y + 1) * (width + 2) + 1) * channels;
      for (size_t i = 0; i < line; i++) store(to[i], leaky((values[i] + load(other[i])) * weight, slope));
    } else {
      T* to = out + y * line;
      for (size_t i = 0; i < line; i++) store(to[i], (values[i] + load(other[i])) * weight);
    }
  }
  if (is_last) repeat_edge(out, height, width, channels);
}

}  // namespace

// Arguments and results are described in models/landscape/compiled.py.
#define PAINTING(T, name)                                                                                       \
  void modulate_##name(const void* x, int height, int width, int channels, int grows, const void* shares,       \
                       int num_classes, const void* rows, const void* tints, int num_tints, int tint_height,    \
                       int tint_width, const void* noise, float slope, void* out) {                             \
    Map<T> map{(const T*)shares, num_classes, (const T*)rows, (const T*)tints, num_tints, tint_height,          \
               tint_width};                                                                                     \
    modulate<T>({x, height, width, channels, grows != 0}, map, (const T*)noise, slope, (T*)out);                \
  }                                                                                                             \
  void modulate_each_##name(const void* x, int height, int width, int channels, int grows, const void* figures,  \
                            const void* noise, float slope, void* out) {                                        \
    modulate_each<T>({x, height, width, channels, grows != 0}, (const T*)figures, (const T*)noise, slope,       \
                     (T*)out);                                                                                  \
  }                                                                                                             \
  void join_##name(const void* x, int height, int width, int channels, int grows, const void* other,            \
                   float weight, int is_last, float slope, void* out) {                                         \
    join<T>({x, height, width, channels, grows != 0}, (const T*)other, weight, is_last != 0, slope, (T*)out);   \
  }

extern "C" {
PAINTING(float, float32)
PAINTING(bf16, bfloat16)
}
