// Forward and backward passes of ensembles of ReLU networks in float32. Compiled by
// ls3_models.compiled for the processor it runs on, and called by ls3_models.ensembles.
//
// A matrix product takes kRows rows of the left matrix and a panel of kWidth columns of the right
// one at a time, so that the sums stay in registers and the panel in a core's nearest cache. Each
// member of an ensemble is computed by one thread from end to end; no sum depends on the number of
// threads.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace {

#ifdef __AVX512F__
constexpr int kBytes = 64, kRows = 12;  // of a vector register; rows of a tile
#else
constexpr int kBytes = 32, kRows = 6;
#endif
constexpr int kVectors = 2;  // of a tile's row: with kRows, the sums fill the registers
constexpr int kLanes = kBytes / sizeof(float);
constexpr int kWidth = kVectors * kLanes;
constexpr int kLine = 16;    // numbers in a line of the cache
constexpr int kBlock = 256;  // rows that go through all layers together if nothing is kept

typedef float Vector __attribute__((vector_size(kBytes)));
typedef float Loose __attribute__((vector_size(kBytes), aligned(4)));  // at any address

inline Vector load(const float* from) { return *reinterpret_cast<const Loose*>(from); }
inline void store(float* to, Vector x) { *reinterpret_cast<Loose*>(to) = x; }

// Columns [first, first + kWidth) of b (depth x columns) as rows of kWidth, padded by zeros.
void pack(const float* b, int depth, int columns, int first, float* panel) {
  const int width = columns - first < kWidth ? columns - first : kWidth;
  if (width < kWidth) std::memset(panel, 0, sizeof(float) * depth * kWidth);
  for (int k = 0; k < depth; ++k)
    std::memcpy(panel + k * kWidth, b + size_t(k) * columns + first, sizeof(float) * width);
}

// The same of the transpose of b (columns x depth).
void pack_transposed(const float* b, int depth, int columns, int first, float* panel) {
  const int width = columns - first < kWidth ? columns - first : kWidth;
  if (width < kWidth) std::memset(panel, 0, sizeof(float) * depth * kWidth);
  for (int j = 0; j < width; ++j) {
    const float* row = b + size_t(first + j) * depth;
    for (int k = 0; k < depth; ++k) panel[k * kWidth + j] = row[k];
  }
}

// What is done to a finished sum: + bias and ReLU, or 0 where `mask` is not positive.
struct Finish {
  const float* bias = nullptr;
  bool relu = false;
  const float* mask = nullptr;  // laid out as the result
};

// R rows of a times a panel. Element (r, k) of a is a[r * row + k * step].
template <int R>
void tile(const float* a, int64_t row, int64_t step, const float* panel, int depth, int width,
          const Finish& finish, int column, float* c, int stride) {
  Vector sum[R][kVectors];
  float bias[kWidth] = {};
  if (finish.bias) std::memcpy(bias, finish.bias + column, sizeof(float) * width);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[r][v] = load(bias + v * kLanes);
  for (int k = 0; k < depth; ++k, panel += kWidth) {
    const Vector first = load(panel), second = load(panel + kLanes);
    const float* at = a + k * step;
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const Vector value = at[r * row] - Vector{};
      sum[r][0] += value * first;
      sum[r][1] += value * second;
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    float* to = c + int64_t(r) * stride + column;
    float whole[kWidth], mask[kWidth];
    const float* masks = finish.mask ? finish.mask + int64_t(r) * stride + column : nullptr;
    if (masks && width < kWidth) {
      std::memcpy(mask, masks, sizeof(float) * width);
      masks = mask;
    }
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      Vector x = sum[r][v];
      if (finish.relu) x = x < Vector{} ? Vector{} : x;  // NaN stays NaN
      if (masks) x = load(masks + v * kLanes) > Vector{} ? x : Vector{};
      store((width < kWidth ? whole : to) + v * kLanes, x);
    }
    if (width < kWidth) std::memcpy(to, whole, sizeof(float) * width);
  }
}

template <int R = kRows>
void some_rows(int rows, const float* a, int64_t row, int64_t step, const float* panel, int depth,
               int width, const Finish& finish, int column, float* c, int stride) {
  if (rows == R)
    tile<R>(a, row, step, panel, depth, width, finish, column, c, stride);
  else if constexpr (R > 1)
    some_rows<R - 1>(rows, a, row, step, panel, depth, width, finish, column, c, stride);
}

// c (rows x columns) = a times the panel that begins at `column`.
void times_panel(const float* a, int64_t row, int64_t step, int64_t tile_step, const float* panel,
                 int rows, int depth, int columns, int column, Finish finish, float* c) {
  const int width = columns - column < kWidth ? columns - column : kWidth;
  for (int r = 0; r < rows; r += kRows) {
    const int count = rows - r < kRows ? rows - r : kRows;
    some_rows(count, a + r / kRows * tile_step, row, step, panel, depth, width, finish, column,
              c + int64_t(r) * columns, columns);
    if (finish.mask) finish.mask += int64_t(kRows) * columns;
  }
}

// Memory that begins with a line of the cache, so that no load of a vector touches two lines.
struct Area {
  std::unique_ptr<float[]> memory;
  size_t size = 0;
  float* begin = nullptr;

  float* get(size_t needed) {
    if (needed > size) {
      memory.reset(new float[needed + kLine]);
      const auto place = reinterpret_cast<uintptr_t>(memory.get());
      begin = memory.get() + (kLine * sizeof(float) - place % (kLine * sizeof(float))) / 4 % kLine;
      size = needed;
    }
    return begin;
  }
};

// The memory of one thread, which is kept from call to call.
struct Scratch {
  Area panel, left, hidden[2];
};

// y = ReLU(x w + b), or without ReLU.
void layer_forward(const float* x, int rows, int inputs, int outputs, const float* w,
                   const float* b, bool relu, float* y, Scratch& scratch) {
  if (outputs == 1) {
    for (int r = 0; r < rows; ++r, x += inputs) {
      Vector sums{};
      int k = 0;
      for (; k + kLanes <= inputs; k += kLanes) sums += load(x + k) * load(w + k);
      float sum = b[0];
      for (int i = 0; i < kLanes; ++i) sum += sums[i];
      for (; k < inputs; ++k) sum += x[k] * w[k];
      y[r] = relu && sum < 0 ? 0 : sum;
    }
    return;
  }
  float* panel = scratch.panel.get(size_t(inputs) * kWidth);
  Finish finish;
  finish.bias = b;
  finish.relu = relu;
  for (int column = 0; column < outputs; column += kWidth) {
    pack(w, inputs, outputs, column, panel);
    times_panel(x, inputs, 1, int64_t(kRows) * inputs, panel, rows, inputs, outputs,
                column, finish, y);
  }
}

// dw = x^T dy and db = the sum of dy's rows.
void weight_gradient(const float* x, const float* dy, int rows, int inputs, int outputs, float* dw,
                     float* db, Scratch& scratch) {
  for (int j = 0; j < outputs; ++j) db[j] = 0;
  for (int r = 0; r < rows; ++r)
    for (int j = 0; j < outputs; ++j) db[j] += dy[size_t(r) * outputs + j];
  if (outputs == 1) {
    std::memset(dw, 0, sizeof(float) * inputs);
    for (int r = 0; r < rows; ++r)
      for (int i = 0; i < inputs; ++i) dw[i] += dy[r] * x[size_t(r) * inputs + i];
    return;
  }
  // columns of x, kRows at a time: read across, they would evict each other from the cache
  const int tiles = (inputs + kRows - 1) / kRows;
  float* left = scratch.left.get(size_t(tiles) * rows * kRows);
  float* panel = scratch.panel.get(size_t(rows) * kWidth);
  for (int t = 0; t < tiles; ++t) {
    const int width = inputs - t * kRows < kRows ? inputs - t * kRows : kRows;
    float* to = left + size_t(t) * rows * kRows;
    for (int r = 0; r < rows; ++r, to += kRows)
      for (int i = 0; i < width; ++i) to[i] = x[size_t(r) * inputs + t * kRows + i];
  }
  for (int column = 0; column < outputs; column += kWidth) {
    pack(dy, rows, outputs, column, panel);
    times_panel(left, 1, kRows, int64_t(rows) * kRows, panel, inputs,
                rows, outputs, column, {}, dw);
  }
}

// dx = dy w^T where x, a result of a ReLU, is positive, else 0; everywhere if x is null.
void input_gradient(const float* x, const float* dy, int rows, int inputs, int outputs,
                    const float* w, float* dx, Scratch& scratch) {
  if (outputs == 1) {
    for (int r = 0; r < rows; ++r)
      for (int i = 0; i < inputs; ++i) {
        const size_t at = size_t(r) * inputs + i;
        dx[at] = !x || x[at] > 0 ? dy[r] * w[i] : 0;
      }
    return;
  }
  float* panel = scratch.panel.get(size_t(outputs) * kWidth);
  Finish finish;
  finish.mask = x;
  for (int column = 0; column < inputs; column += kWidth) {
    pack_transposed(w, outputs, inputs, column, panel);
    times_panel(dy, outputs, 1, int64_t(kRows) * outputs, panel, rows, outputs,
                inputs, column, finish, dx);
  }
}

int widest(int layers, const int* sizes) {
  int most = 0;
  for (int i = 0; i <= layers; ++i) most = sizes[i] > most ? sizes[i] : most;
  return most;
}

// Calls work(member, scratch) for every member, each in one of `threads` threads.
template <class Work>
void each_member(int members, int threads, int widest, int rows, const Work& work) {
  std::atomic<int> next{0};
  auto run = [&] {
    static thread_local Scratch scratch;
    for (auto& area : scratch.hidden) area.get(size_t(rows) * widest);
    for (int member; (member = next++) < members;) work(member, scratch);
  };
  std::vector<std::thread> others;
  try {
    for (int i = 1; i < threads && i < members; ++i) others.emplace_back(run);
  } catch (const std::system_error&) {  // the system gives no more threads: those there are do it
  }
  run();
  for (auto& thread : others) thread.join();
}

}  // namespace

extern "C" {

// Arrays are laid out as (member, row or input, column). x: (rows, inputs) of each member,
// `x_step` numbers apart. results: one array per layer, (members, rows, outputs); that of a hidden
// layer may be null if it is not kept.
void ensemble_forward(int layers, const int* sizes, int members, int rows, int threads,
                      const float* x, int64_t x_step, const float* const* weights,
                      const float* const* biases, float* const* results) {
  bool kept = true;
  for (int i = 0; i < layers; ++i) kept = kept && results[i];
  const int block = kept || rows < kBlock ? rows : kBlock;
  each_member(members, threads, widest(layers, sizes), block, [&](int member, Scratch& scratch) {
    for (int first = 0; first < rows; first += block) {
      const int count = rows - first < block ? rows - first : block;
      const float* from = x + member * x_step + int64_t(first) * sizes[0];
      for (int i = 0; i < layers; ++i) {
        const int inputs = sizes[i], outputs = sizes[i + 1];
        float* to = scratch.hidden[i % 2].begin;
        if (results[i]) to = results[i] + (int64_t(member) * rows + first) * outputs;
        layer_forward(from, count, inputs, outputs, weights[i] + int64_t(member) * inputs * outputs,
                      biases[i] + int64_t(member) * outputs, i + 1 < layers, to, scratch);
        from = to;
      }
    }
  });
}

// Gradients of weights, biases and, unless dx is null, of x, (members, rows, inputs); given
// dy, the gradient of the last result, and all results of `ensemble_forward`.
void ensemble_backward(int layers, const int* sizes, int members, int rows, int threads,
                       const float* x, int64_t x_step, const float* const* weights,
                       const float* const* results, const float* dy, float* const* weight_gradients,
                       float* const* bias_gradients, float* dx) {
  each_member(members, threads, widest(layers, sizes), rows, [&](int member, Scratch& scratch) {
    const float* above = dy + int64_t(member) * rows * sizes[layers];
    for (int i = layers - 1; i >= 0; --i) {
      const int inputs = sizes[i], outputs = sizes[i + 1];
      const int64_t place = int64_t(member) * inputs * outputs;
      const float* from = i ? results[i - 1] + int64_t(member) * rows * inputs : x + member * x_step;
      weight_gradient(from, above, rows, inputs, outputs, weight_gradients[i] + place,
                      bias_gradients[i] + int64_t(member) * outputs, scratch);
      if (!i && !dx) break;
      float* below = i ? scratch.hidden[i % 2].begin : dx + int64_t(member) * rows * inputs;
      input_gradient(i ? from : nullptr, above, rows, inputs, outputs, weights[i] + place, below,
                     scratch);
      above = below;
    }
  });
}
}
