// Multilayer perceptrons of many rows, a block of rows at a time from the first layer to the last,
// so that activations stay in a core's nearest cache. In float32, and in float16 or bfloat16 where
// the processor multiplies them. Compiled by ls3_planner.native for the processor it runs on.

#if defined(__AVX512FP16__) || defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>
#include <vector>

namespace {

#ifdef __AVX512F__
constexpr int kBytes = 64, kWide = 4;  // of a vector register; vectors per tile
#else
constexpr int kBytes = 32, kWide = 2;
#endif
constexpr int kOutputs = kBytes / 4;  // of a layer, per vector
constexpr int kRows = 6;              // of a tile: its sums fill the registers
constexpr int kBlock = 192;           // rows that go through all layers together

struct Bfloat16 {
  uint16_t bits;
};

// Numbers of 32 bits are broadcast: one float32, or two of 16 bits of neighbouring inputs.
// (Broadcasting 16 bits would take up one of two ports that multiply.)
typedef uint32_t Bits __attribute__((vector_size(kBytes)));

inline Bits broadcast_bits(const void* from) {
  uint32_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return bits - Bits{};
}

template <class T>
struct Simd {
  static constexpr int pack = 4 / sizeof(T);
  static constexpr int spread = pack;  // lanes of a sum that make up one output
  typedef T Vector __attribute__((vector_size(kBytes)));
  typedef Vector Sum;
  typedef uint16_t Halves __attribute__((vector_size(kBytes)));

  static T number(float x) { return T(x); }

  static Vector broadcast(const T* from) {
    if constexpr (pack == 1) return *from - Vector{};
    return reinterpret_cast<Vector>(broadcast_bits(from));
  }

  static Sum add(Sum sum, Vector x, Vector w) { return sum + x * w; }

  // The 2 kOutputs results in two sums, or their ReLU; NaN stays NaN.
  static void store(Sum first, Sum second, T* to, bool relu) {
    if constexpr (pack == 2) {
      Halves even, odd;
      for (int i = 0; i < 2 * kOutputs; ++i) even[i] = 2 * i, odd[i] = 2 * i + 1;
      first = __builtin_shuffle(first, second, even) + __builtin_shuffle(first, second, odd);
    }
    if (relu) first = first < Sum{} ? Sum{} : first;
    std::memcpy(to, &first, sizeof first);
    if constexpr (pack == 1) {
      if (relu) second = second < Sum{} ? Sum{} : second;
      std::memcpy(to + kOutputs, &second, sizeof second);
    }
  }
};

#ifdef __AVX512BF16__
// Products of pairs are added to sums in float32.
template <>
struct Simd<Bfloat16> {
  static constexpr int pack = 2, spread = 1;
  typedef uint16_t Vector __attribute__((vector_size(kBytes)));
  typedef float Sum __attribute__((vector_size(kBytes)));

  // To nearest, ties to even; NaN stays NaN.
  static uint16_t number(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (x != x) return uint16_t(bits >> 16 | 64);
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }

  static Vector broadcast(const Bfloat16* from) {
    return reinterpret_cast<Vector>(broadcast_bits(from));
  }

  static Sum add(Sum sum, Vector x, Vector w) {
    return reinterpret_cast<Sum>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                  reinterpret_cast<__m512bh>(x),
                                                  reinterpret_cast<__m512bh>(w)));
  }

  static void store(Sum first, Sum second, Bfloat16* to, bool relu) {
    if (relu) first = first < Sum{} ? Sum{} : first, second = second < Sum{} ? Sum{} : second;
    const __m512bh both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second),
                                              reinterpret_cast<__m512>(first));
    std::memcpy(to, &both, sizeof both);
  }
};
#endif

// Outputs are padded to pairs of vectors; panels of up to kWide vectors lie one after the other.
template <class T>
struct Layer {
  using Vector = typename Simd<T>::Vector;
  using Sum = typename Simd<T>::Sum;
  int inputs, steps, vectors;
  std::vector<Vector> weight;
  std::vector<Sum> bias;

  Layer(int inputs, int outputs, const float* w, const float* b) : inputs(inputs) {
    constexpr int pack = Simd<T>::pack;
    steps = (inputs + pack - 1) / pack;
    vectors = 2 * ((outputs + 2 * kOutputs - 1) / (2 * kOutputs));
    weight.assign(size_t(steps) * vectors, Vector{});
    bias.assign(vectors, Sum{});
    for (int j = 0; j < outputs; ++j) {
      const int vector = j / kOutputs, lane = j % kOutputs, panel = vector / kWide * kWide;
      const int width = vectors - panel < kWide ? vectors - panel : kWide;
      bias[vector][lane * Simd<T>::spread] = b[j];
      for (int k = 0; k < inputs; ++k)
        weight[size_t(panel) * steps + size_t(k / pack) * width + vector - panel]
              [lane * pack + k % pack] = Simd<T>::number(w[size_t(k) * outputs + j]);
    }
  }
};

// y = x w + b of kRows rows and N vectors of outputs, or its ReLU.
template <class T, int N>
void tile(const Layer<T>& layer, int panel, const T* x, T* y, int stride, bool relu) {
  using Vector = typename Simd<T>::Vector;
  typename Simd<T>::Sum sum[kRows][N];
  const Vector* weight = &layer.weight[size_t(panel) * layer.steps];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < N; ++c) sum[r][c] = layer.bias[panel + c];
  for (int k = 0; k < layer.steps; ++k, weight += N)
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vector value = Simd<T>::broadcast(x + r * stride + k * Simd<T>::pack);
#pragma GCC unroll 4
      for (int c = 0; c < N; ++c) sum[r][c] = Simd<T>::add(sum[r][c], value, weight[c]);
    }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < N; c += 2)
      Simd<T>::store(sum[r][c], sum[r][c + 1], y + r * stride + (panel + c) * kOutputs, relu);
}

template <class T>
void apply(const Layer<T>& layer, const T* x, T* y, int stride, int rows, bool relu) {
  for (int panel = 0; panel < layer.vectors; panel += kWide) {
    const int width = layer.vectors - panel < kWide ? layer.vectors - panel : kWide;
    for (int r = 0; r < rows; r += kRows) {
      const T* from = x + r * stride;
      T* to = y + r * stride;
      if (width == 2) tile<T, 2>(layer, panel, from, to, stride, relu);
      if (width == 4) tile<T, 4>(layer, panel, from, to, stride, relu);
    }
  }
}

template <class T>
void convert(const T* __restrict from, T* __restrict to, int count) {
  std::memcpy(to, from, count * sizeof(T));
}

#ifdef __AVX512FP16__  // compilers do not vectorise these by themselves
inline void convert(const float* __restrict from, _Float16* __restrict to, int count) {
  int j = 0;
  for (; j + 16 <= count; j += 16)
    _mm256_storeu_ph(to + j, _mm512_cvtxps_ph(_mm512_loadu_ps(from + j)));
  for (; j < count; ++j) to[j] = _Float16(from[j]);
}

inline void convert(const _Float16* __restrict from, float* __restrict to, int count) {
  int j = 0;
  for (; j + 16 <= count; j += 16)
    _mm512_storeu_ps(to + j, _mm512_cvtxph_ps(_mm256_loadu_ph(from + j)));
  for (; j < count; ++j) to[j] = float(from[j]);
}
#endif

#ifdef __AVX512BF16__
inline void convert(const float* __restrict from, Bfloat16* __restrict to, int count) {
  int j = 0;
  for (; j + 16 <= count; j += 16) {
    const __m256bh part = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + j));
    std::memcpy(to + j, &part, sizeof part);
  }
  for (; j < count; ++j) to[j].bits = Simd<Bfloat16>::number(from[j]);
}

inline void convert(const Bfloat16* __restrict from, float* __restrict to, int count) {
  for (int j = 0; j < count; ++j) {
    const uint32_t bits = uint32_t(from[j].bits) << 16;
    std::memcpy(to + j, &bits, sizeof bits);
  }
}
#endif

template <class T>
struct Network {
  std::vector<Layer<T>> layers;        // all hidden ones; of the dynamics the last one too
  std::vector<float> weight;           // of a head's last layer, of one output
  float bias = 0;
  int stride = 0;

  Network(int count, const int* sizes, const float* const* weights, const float* const* biases) {
    const bool head = sizes[count] == 1;
    for (int i = 0; i < count - head; ++i)
      layers.emplace_back(sizes[i], sizes[i + 1], weights[i], biases[i]);
    if (head) {
      weight.assign(weights[count - 1], weights[count - 1] + sizes[count - 1]);
      bias = biases[count - 1][0];
    }
    stride = layers[0].steps * Simd<T>::pack;
    for (const auto& layer : layers)
      if (layer.vectors * kOutputs > stride) stride = layer.vectors * kOutputs;
  }
};

// Two areas of activations; a result lies in the one that `forward` returns.
template <class T>
struct Scratch {
  std::vector<typename Simd<T>::Vector> memory;
  T* area[2];

  explicit Scratch(int stride) {
    const size_t vectors = size_t(kBlock) * stride * sizeof(T) / kBytes + 1;
    memory.resize(2 * vectors);
    area[0] = reinterpret_cast<T*>(memory.data());
    area[1] = reinterpret_cast<T*>(memory.data() + vectors);
  }
};

template <class T>
const T* forward(const Network<T>& network, const Scratch<T>& scratch, int stride, int rows) {
  int from = 0;
  const size_t count = network.layers.size();
  for (size_t i = 0; i < count; ++i, from = 1 - from) {
    const bool relu = i + 1 < count || !network.weight.empty();
    apply(network.layers[i], scratch.area[from], scratch.area[1 - from], stride, rows, relu);
  }
  return scratch.area[from];
}

// Inputs from place `at` of a row; what would share the last one's pair is zero.
template <class T>
void load(const float* from, int count, T* row, int at) {
  convert(from, row + at, count);
  if ((at + count) % Simd<T>::pack) row[at + count] = T{};
}

inline float dot(const float* row, const std::vector<float>& weight) {
  constexpr int lanes = 16;
  float sums[lanes] = {};
  const int count = int(weight.size());
  for (int j = 0; j + lanes <= count; j += lanes)
    for (int i = 0; i < lanes; ++i) sums[i] += row[j + i] * weight[j + i];
  float sum = 0;
  for (int i = 0; i < lanes; ++i) sum += sums[i];
  for (int j = count / lanes * lanes; j < count; ++j) sum += row[j] * weight[j];
  return sum;
}

// 1 / (1 + e^-x) within 2e-7; NaN stays NaN.
inline float sigmoid(float x) {
  float t = x * -1.44269504f;
  t = t < -126.f ? -126.f : t;
  t = t > 126.f ? 126.f : t;
  const float whole = (t + 12582912.f) - 12582912.f, f = t - whole;
  float power = 1.5403530e-4f;
  power = power * f + 1.3333558e-3f;
  power = power * f + 9.6181291e-3f;
  power = power * f + 5.5504109e-2f;
  power = power * f + 2.4022651e-1f;
  power = power * f + 6.9314718e-1f;
  power = power * f + 1.f;
  const int32_t bits = (int32_t(whole) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return 1.f / (1.f + power * scale);
}

int padded(int rows) { return (rows + kRows - 1) / kRows * kRows; }

template <class T>
void read(const Network<T>* const* members, int count, const float* rows, int64_t begin,
          int64_t end, int64_t total, float* out) {
  const int inputs = members[0]->layers[0].inputs, stride = members[0]->stride;
  Scratch<T> scratch(stride);
  std::vector<float> row(members[0]->weight.size());
  for (int64_t first = begin; first < end; first += kBlock) {
    const int block = int(end - first < kBlock ? end - first : kBlock);
    for (int m = 0; m < count; ++m) {
      for (int r = 0; r < block; ++r)
        load(rows + (first + r) * inputs, inputs, scratch.area[0] + r * stride, 0);
      const T* hidden = forward(*members[m], scratch, stride, padded(block));
      for (int r = 0; r < block; ++r) {
        convert(hidden + r * stride, row.data(), int(row.size()));
        out[m * total + first + r] = dot(row.data(), members[m]->weight) + members[m]->bias;
      }
    }
  }
}

template <class T>
void roll_out(const Network<T>* const* networks, const int64_t* members, const float* start,
              const float* noise, const float* actions, float least, float most, int horizon,
              int particles, int particle, int64_t count, int latent, int action, float* out) {
  const int stride = networks[0]->stride;
  Scratch<T> scratch(stride);
  std::vector<float> state(size_t(kBlock) * latent), output(2 * latent);
  const float shift = __builtin_logf(most);
  for (int64_t first = 0; first < count; first += kBlock) {
    const int block = int(count - first < kBlock ? count - first : kBlock);
    for (int r = 0; r < block; ++r)
      std::memcpy(&state[size_t(r) * latent], start + particle * latent, latent * sizeof(float));
    for (int t = 0; t < horizon; ++t) {
      const int64_t which = int64_t(t) * particles + particle;
      const float* e = noise + which * latent;
      for (int r = 0; r < block; ++r) {
        T* row = scratch.area[0] + r * stride;
        load(&state[size_t(r) * latent], latent, row, 0);
        load(actions + ((first + r) * horizon + t) * action, action, row, latent);
      }
      const T* result = forward(*networks[members[which]], scratch, stride, padded(block));
      for (int r = 0; r < block; ++r) {
        convert(result + r * stride, output.data(), 2 * latent);
        float* __restrict z = &state[size_t(r) * latent];
        const float* __restrict change = output.data();
        for (int j = 0; j < latent; ++j)
          z[j] += change[j] + e[j] * (least + most * sigmoid(change[latent + j] - shift));
        std::memcpy(out + (which * count + first + r) * latent, z, latent * sizeof(float));
      }
    }
  }
}

}  // namespace

#define EXPORT(name, T)                                                                          \
  void* make_##name(int count, const int* sizes, const float* const* weights,                    \
                    const float* const* biases) {                                                \
    return new Network<T>(count, sizes, weights, biases);                                        \
  }                                                                                              \
  void free_##name(void* network) { delete static_cast<Network<T>*>(network); }                  \
  void read_##name(const void* const* members, int count, const float* rows, int64_t begin,      \
                   int64_t end, int64_t total, float* out) {                                     \
    read<T>(reinterpret_cast<const Network<T>* const*>(members), count, rows, begin, end, total, \
            out);                                                                                \
  }                                                                                              \
  void roll_out_##name(const void* const* networks, const int64_t* members, const float* start,  \
                       const float* noise, const float* actions, float least, float most,        \
                       int horizon, int particles, int particle, int64_t count, int latent,      \
                       int action, float* out) {                                                 \
    roll_out<T>(reinterpret_cast<const Network<T>* const*>(networks), members, start, noise,     \
                actions, least, most, horizon, particles, particle, count, latent, action, out); \
  }

extern "C" {
EXPORT(float32, float)
#ifdef __AVX512FP16__
EXPORT(float16, _Float16)
#endif
#ifdef __AVX512BF16__
EXPORT(bfloat16, Bfloat16)
#endif
}
