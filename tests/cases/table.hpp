#pragma once
/// The op table. A row names an operation, the shapes and the range of its inputs, the operation itself as a
/// generic lambda over tensors, and a plain reference over arrays of double. Running a row checks, for every
/// set of shapes and for contiguous and strided inputs:
///   - float and double results against the reference,
///   - the gradient in double against central differences (`gradcheck`), on sets of shapes small enough,
///   - the gradient in float against the one in double.
/// In a build with the emulated GPU (TMOR_CUDA_EMULATED) a row checks instead that `Cuda` gives the CPU's
/// float results and gradients. A file of rows whose operation is not on the GPU yet defines
/// TMOR_TABLE_HOST_ONLY before it includes this: they are then counted and named when the program ends.

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tmor/autograd/gradcheck.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/ops/device.hpp"
#include "tmor/ops/pointwise.hpp"
#ifdef TMOR_CUDA_EMULATED
#include <cstdio>
#include <set>

#include "tmor/cuda/cuda.cuh"
#endif

namespace table {

using tmor::Index;
using tmor::Shape;
using tmor::Tensor;

/// A reference value: row-major doubles.
struct Array {
  Shape shape;
  std::vector<double> v;

  Array() = default;
  explicit Array(const Shape& s, double fill = 0) : shape(s), v(static_cast<std::size_t>(s.numel()), fill) {}
  double& operator[](Index i) { return v[static_cast<std::size_t>(i)]; }
  double operator[](Index i) const { return v[static_cast<std::size_t>(i)]; }
  Index numel() const { return shape.numel(); }
  /// Element at the multi-index `at`, broadcast: leading dimensions of `at` are ignored, size-1 ones read at
  /// 0.
  double broadcast_at(const Shape& at) const {
    Index off = 0, step = 1;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      const Index i = shape[d] == 1 ? 0 : at[at.rank() - shape.rank() + d];
      off += i * step;
      step *= shape[d];
    }
    return (*this)[off];
  }
};
using Arrays = std::vector<Array>;

/// Calls f(multi_index, flat_index) for every element of `shape`, row-major.
template <class F> void for_each_index(const Shape& shape, F&& f) {
  Shape at = Shape::filled(shape.rank(), 0);
  for (Index n = shape.numel(), i = 0; i < n; ++i) {
    f(static_cast<const Shape&>(at), i);
    for (int d = shape.rank() - 1; d >= 0; --d) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
}

/// Reference of a broadcasting pointwise operation on one to three arrays.
template <class F> Array map(const Arrays& in, F f) {
  Shape s;
  for (const Array& a : in) s = tmor::broadcast_shapes(s, a.shape, "reference");
  Array out(s);
  for_each_index(s, [&](const Shape& at, Index i) {
    if constexpr (std::is_invocable_v<F, double>) {
      out[i] = f(in[0].broadcast_at(at));
    } else if constexpr (std::is_invocable_v<F, double, double>) {
      out[i] = f(in[0].broadcast_at(at), in[1].broadcast_at(at));
    } else {
      out[i] = f(in[0].broadcast_at(at), in[1].broadcast_at(at), in[2].broadcast_at(at));
    }
  });
  return out;
}

/// The shapes of an operation's inputs, one set a case.
using ShapeSets = std::vector<std::vector<Shape>>;

/// Empty, scalar, size-1, odd, longer than a vector, several dimensions.
inline ShapeSets unary_shapes() {
  return {{{0}}, {{}}, {{1}}, {{7}}, {{3, 5}}, {{2, 1, 37}}, {{4, 3, 2, 5}}, {{3, 0, 2}}, {{131}}};
}
/// Equal, scalar, row, column, middle and outer broadcasts.
inline ShapeSets binary_shapes() {
  return {{{0}, {0}},          {{}, {}},
          {{5}, {5}},          {{3, 37}, {3, 37}},
          {{3, 37}, {37}},     {{3, 37}, {3, 1}},
          {{37}, {3, 1}},      {{2, 3, 5}, {}},
          {{2, 1, 5}, {3, 1}}, {{2, 3, 4, 5}, {3, 1, 5}},
          {{1, 19}, {17, 19}}, {{0, 3}, {1, 3}},
          {{}, {4, 3}},        {{2, 3, 4, 5}, {2, 1, 4, 1}}};
}

struct Options {
  double tol = 2e-6;          ///< float against the reference, relative to max(1, |reference|)
  double tol64 = 1e-13;       ///< double against the reference
  double tol_grad = 1e-5;     ///< float gradient against the double one, relative to max(1, largest gradient)
  bool grad = true;           ///< is the operation differentiable?
  double low = -2, high = 2;  ///< range of every input, unless `ranges` has one for it
  std::vector<std::pair<double, double>> ranges = {};
  Index gradcheck_limit = 400;  ///< no central differences for more input elements than this
  double gradcheck_tol = 1e-6;
};

inline int& rows_run() {
  static int n = 0;
  return n;
}

/// `x` as a view with gaps and permuted strides that holds the same numbers.
template <class T, class Device> Tensor<T, Device> strided(const Tensor<T, Device>& x) {
  const int r = x.rank();
  if (r == 0) return x;
  // Reverse the order of dimensions in memory and keep every second element of the fastest one.
  Shape big, strides = Shape::filled(r, 0);
  for (int d = r - 1; d >= 0; --d) big.push_back(x.shape()[d]);
  big[r - 1] *= 2;
  auto base = Tensor<T, Device>::zeros(big);
  const Shape bs = tmor::contiguous_strides(big);
  for (int d = 0; d < r; ++d) strides[d] = bs[r - 1 - d] * (d == 0 ? 2 : 1);
  auto view = base.as_strided(x.shape(), strides, 0);
  copy_into(Device{}, view, x);
  return view;
}

namespace detail {

inline bool near(double got, double want, double tol, double scale) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::fabs(got - want) <= tol * std::fmax(1.0, scale);
}

template <class T, class Device> Array array_of(const Tensor<T, Device>& t) {
  Array a(t.shape());
  std::vector<std::conditional_t<std::is_same_v<T, bool>, unsigned char, T>> v(a.v.size());
  t.read(reinterpret_cast<T*>(v.data()));
  for (std::size_t i = 0; i < v.size(); ++i) a.v[i] = static_cast<double>(v[i]);
  return a;
}

inline void compare(const std::string& what, const Array& got, const Array& want, double tol,
                    bool common_scale) {
  REQUIRE_MESSAGE(got.shape == want.shape, what, ": shape ", got.shape.str(), " instead of ",
                  want.shape.str());
  double scale = 0;
  if (common_scale)
    for (double w : want.v) scale = std::fmax(scale, std::fabs(w));
  for (Index i = 0; i < want.numel(); ++i) {
    const double s = common_scale ? scale : std::fabs(want[i]);
    if (!near(got[i], want[i], tol, s)) {
      FAIL_CHECK(what, ": element ", i, " of ", want.shape.str(), " is ", got[i], " instead of ", want[i]);
      return;
    }
  }
}

template <class T, std::size_t N, class Device = tmor::Cpu>
std::vector<Tensor<T, Device>> tensors_of(const Arrays& in, bool is_strided) {
  std::vector<Tensor<T, Device>> t;
  for (const Array& a : in) {
    std::vector<T> v(a.v.begin(), a.v.end());
    t.push_back(Tensor<T, Device>::from(v, a.shape));
    if (is_strided) t.back() = strided(t.back());
  }
  return t;
}

template <class Op, class Ts, std::size_t... I> auto call(Op& op, const Ts& ts, std::index_sequence<I...>) {
  return op(ts[I]...);
}

#ifdef TMOR_CUDA_EMULATED

/// The rows this program met, by whether `Cuda` has them; printed at its end.
struct DeviceRows {
  std::set<std::string> run, missing;
  ~DeviceRows() {
    std::printf("[cuda] %zu rows run on Cuda, %zu not yet there", run.size(), missing.size());
    for (const std::string& name : missing)
      std::printf("%s %s", &name == &*missing.begin() ? ":" : ",", name.c_str());
    std::puts("");
  }
};
inline DeviceRows& device_rows() {
  static DeviceRows r;
  return r;
}

/// The result of a row on a device and, where it has them, the gradients of its inputs for a random gradient
/// of the output.
template <class Device, std::size_t N, class Op>
Arrays results(Op& op, const Arrays& in, bool is_strided, bool grad, tmor::Rng rng) {
  constexpr auto seq = std::make_index_sequence<N>{};
  auto x = tensors_of<float, N, Device>(in, is_strided);
  if (grad)
    for (auto& t : x) t.requires_grad_();
  const auto y = call(op, x, seq);
  Arrays out{array_of(y)};
  if constexpr (std::is_same_v<typename std::remove_cvref_t<decltype(y)>::value_type, float>) {
    if (!grad) return out;
    REQUIRE(y.requires_grad());
    Array w(y.shape());
    for (double& v : w.v) v = static_cast<double>(static_cast<float>(rng.uniform(-1, 1)));
    backward(y, tensors_of<float, 1, Device>({w}, is_strided)[0]);
    for (auto& t : x) out.push_back(t.grad().defined() ? array_of(t.grad()) : Array(Shape{0}, 0));
  }
  return out;
}

#endif

}  // namespace detail

template <class X> using device_t = typename std::remove_cvref_t<X>::device_type;
/// `t` on the device of `x`: what an operation takes besides the row's inputs.
template <class T, class Device, class U>
Tensor<U, Device> beside(const Tensor<T, Device>&, const Tensor<U>& t) {
  return t.defined() ? tmor::to<Device>(t) : Tensor<U, Device>();
}

/// Runs one row of the table for an operation of `N` floating inputs; `op` is called with `Tensor<T>`s,
/// `reference` with the same numbers as `Arrays`.
template <std::size_t N, class Op, class Reference>
void row(const char* name, const ShapeSets& sets, Op op, Reference reference, Options o = {}) {
  [[maybe_unused]] constexpr auto seq = std::make_index_sequence<N>{};
  tmor::Rng rng(static_cast<std::uint64_t>(std::hash<std::string>{}(name)));
  for (const auto& shapes : sets) {
    REQUIRE(shapes.size() == N);
    Arrays in;
    Index total = 0;
    std::string title = std::string(name) + "(";
    for (std::size_t i = 0; i < N; ++i) {
      const auto [low, high] = i < o.ranges.size() ? o.ranges[i] : std::pair{o.low, o.high};
      Array a(shapes[i]);
      // Floats, so that both precisions see the same numbers.
      for (double& v : a.v) v = static_cast<double>(static_cast<float>(rng.uniform(low, high)));
      total += a.numel();
      title += (i ? ", " : "") + shapes[i].str();
      in.push_back(std::move(a));
    }
    title += ")";
    const Array want = reference(static_cast<const Arrays&>(in));
    for (const bool is_strided : {false, true}) {
      INFO(title << std::string(is_strided ? " strided" : " contiguous"));
      ++rows_run();
#if defined(TMOR_CUDA_EMULATED) && defined(TMOR_TABLE_HOST_ONLY)
      detail::device_rows().missing.insert(name);
#elif defined(TMOR_CUDA_EMULATED)
      detail::device_rows().run.insert(name);
      const Arrays cpu = detail::results<tmor::Cpu, N>(op, in, is_strided, o.grad, rng);
      const Arrays gpu = detail::results<tmor::Cuda, N>(op, in, is_strided, o.grad, rng);
      // Each is within the tolerance of the truth.
      detail::compare("Cuda", gpu[0], cpu[0], 2 * o.tol, false);
      for (std::size_t i = 1; i < cpu.size(); ++i)
        detail::compare("Cuda gradient", gpu[i], cpu[i], 2 * o.tol_grad, true);
#endif
#ifndef TMOR_CUDA_EMULATED
      auto x32 = detail::tensors_of<float, N>(in, is_strided);
      auto x64 = detail::tensors_of<double, N>(in, is_strided);
      detail::compare("float", detail::array_of(detail::call(op, x32, seq)), want, o.tol, false);
      detail::compare("double", detail::array_of(detail::call(op, x64, seq)), want, o.tol64, false);
      if (!o.grad) continue;
      for (auto& t : x32) t.requires_grad_();
      for (auto& t : x64) t.requires_grad_();
      auto y32 = detail::call(op, x32, seq);
      auto y64 = detail::call(op, x64, seq);
      if constexpr (std::is_same_v<typename decltype(y64)::value_type, double>) {
        REQUIRE(y64.requires_grad());
        Array w(y64.shape());
        for (double& v : w.v) v = static_cast<double>(static_cast<float>(rng.uniform(-1, 1)));
        backward(y32, detail::tensors_of<float, 1>({w}, is_strided)[0]);
        backward(y64, detail::tensors_of<typename decltype(y64)::value_type, 1>({w}, is_strided)[0]);
        for (std::size_t i = 0; i < N; ++i) {
          REQUIRE_MESSAGE(x64[i].grad().defined() == x32[i].grad().defined(), "gradient of input ", i);
          if (!x64[i].grad().defined()) continue;
          detail::compare("float gradient", detail::array_of(x32[i].grad()), detail::array_of(x64[i].grad()),
                          o.tol_grad, true);
        }
        if (total <= o.gradcheck_limit) {
          const auto r = tmor::gradcheck<tmor::Cpu>([&](const auto& ts) { return detail::call(op, ts, seq); },
                                                    x64, {.tolerance = o.gradcheck_tol});
          CHECK_MESSAGE(r.ok, "gradcheck: ", r.message);
        }
      }
#endif
    }
  }
}

}  // namespace table
