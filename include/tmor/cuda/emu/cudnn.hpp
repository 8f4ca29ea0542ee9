#pragma once
/// @file cudnn.hpp
/// The emulated device behind the table of cuDNN functions (cuda/cudnn.hpp): a plain convolution that checks
/// its arguments as the library does or should, and takes its turn in the stream. What the library would
/// refuse is refused with its status; addresses that a GPU would stumble over are a tmor::Error that names
/// the operand.

#include "tmor/cuda/cudnn_table.hpp"
#include "tmor/cuda/emu/cublas.hpp"

TMOR_BEGIN
namespace emu {

/// Of a tensor (n, c, h, w), or of weights (out, in, h, w); either lies with its channels last.
struct DnnShape {
  bool set = false;
  int format = 0, type = 0;
  Index n = 0, c = 0, h = 0, w = 0;

  Index count() const { return n * c * h * w; }
  Index bytes() const { return count() * (type == CudnnApi::f32 ? 4 : 2); }
  Index at(Index i, Index row, Index column, Index channel) const {
    return ((i * h + row) * w + column) * c + channel;
  }
};
struct DnnConv {
  bool set = false;
  Index pad_h = 0, pad_w = 0, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int mode = 0, compute = 0;
  Index groups = 1;
  int math = CudnnApi::as_it_likes;
};

/// A convolution with all that an algorithm is chosen by.
struct DnnProblem {
  enum Way { forward, grad_input, grad_weight } way;
  DnnShape x, w, y;
  DnnConv conv;

  /// The shapes in the order of the library's arguments, of which the last is the result.
  DnnProblem(Way kind, const DnnShape& a, const DnnShape& b, const DnnConv& how, const DnnShape& c)
      : way(kind),
        x(kind == grad_input ? c : a),
        w(kind == forward      ? b
          : kind == grad_input ? a
                               : c),
        y(kind == forward ? c : b),
        conv(how) {}

  /// 0, or the library's status.
  int check() const {
    for (const DnnShape* s : {&x, &w, &y}) {
      if (!s->set) return CudnnApi::bad_param;
      if (s->format != CudnnApi::nhwc ||
          (s->type != CudnnApi::f32 && s->type != CudnnApi::f16 && s->type != CudnnApi::bf16))
        return CudnnApi::not_supported;
    }
    if (!conv.set || x.type != w.type || x.type != y.type) return CudnnApi::bad_param;
    if (conv.compute != CudnnApi::f32) return CudnnApi::not_supported;
    const auto out = [](Index in, Index pad, Index taps, Index dilation, Index stride) {
      return (in + 2 * pad - (taps - 1) * dilation - 1) / stride + 1;
    };
    if (x.n != y.n || x.c != w.c * conv.groups || w.n % conv.groups != 0 || y.c != w.n ||
        y.h != out(x.h, conv.pad_h, w.h, conv.dilation_h, conv.stride_h) ||
        y.w != out(x.w, conv.pad_w, w.w, conv.dilation_w, conv.stride_w))
      return CudnnApi::bad_param;
    return CudnnApi::ok;
  }
  /// Bytes that an algorithm wants; negative for one that does not do this.
  Index workspace(int algo) const {
    const Index patches = (w.h * w.w * w.c + 31) / 32 * 256;
    if (way == forward)
      return algo == CudnnApi::implicit_gemm            ? 0
             : algo == CudnnApi::implicit_precomp_gemm  ? patches
             : algo == CudnnApi::winograd && winograd() ? 2 * patches
                                                        : -1;
    return algo == 0 ? 0 : algo == 1 ? patches : -1;
  }
  bool winograd() const { return w.h == 3 && w.w == 3 && conv.stride_h == 1 && conv.stride_w == 1; }

  double load(const DnnShape& s, const void* p, Index i) const {
    const bool tf32 = s.type == CudnnApi::f32 && conv.math == CudnnApi::as_it_likes;
    return lt_factor(tf32 ? CublasApi::in_tf32 : CublasApi::in_f32, lt_load(lt_type(s), p, i));
  }
  static int lt_type(const DnnShape& s) {
    return s.type == CudnnApi::bf16  ? CublasApi::bf16
           : s.type == CudnnApi::f16 ? CublasApi::f16
                                     : CublasApi::f32;
  }
  /// Calls f(element of x, of w, of y) for every product that a convolution adds up.
  template <class F> void each_product(F&& f) const {
    for (Index i = 0; i < y.n; ++i)
      for (Index p = 0; p < y.h; ++p)
        for (Index q = 0; q < y.w; ++q)
          for (Index r = 0; r < w.h; ++r)
            for (Index s = 0; s < w.w; ++s) {
              const Index row = p * conv.stride_h + r * conv.dilation_h - conv.pad_h;
              const Index column = q * conv.stride_w + s * conv.dilation_w - conv.pad_w;
              if (row < 0 || row >= x.h || column < 0 || column >= x.w) continue;
              for (Index k = 0; k < w.n; ++k)
                for (Index c = 0; c < w.c; ++c)
                  f(x.at(i, row, column, k / (w.n / conv.groups) * w.c + c), w.at(k, r, s, c),
                    y.at(i, p, q, k));
            }
  }
  void run(double alpha, double beta, const void* a, const void* b, void* c) const {
    const DnnShape& out = way == forward ? y : way == grad_input ? x : w;
    std::vector<double> sums(static_cast<std::size_t>(out.count()));
    const auto sum = [&](Index i) -> double& { return sums[static_cast<std::size_t>(i)]; };
    each_product([&](Index ix, Index iw, Index iy) {
      if (way == forward) {
        sum(iy) += load(x, a, ix) * load(w, b, iw);
      } else if (way == grad_input) {
        sum(ix) += load(w, a, iw) * load(y, b, iy);
      } else {
        sum(iw) += load(x, a, ix) * load(y, b, iy);
      }
    });
    const int type = lt_type(out);
    for (Index i = 0; i < out.count(); ++i)
      lt_store(type, c, i, alpha * sum(i) + (beta != 0 ? beta * lt_load(type, c, i) : 0));
  }
};

/// The quickest first, as the library does: one with transforms or atomic sums, then what adds up in order.
template <DnnProblem::Way kWay>
int dnn_algorithms(void*, void* a, void* b, void* conv, void* c, int wanted, int* count,
                   CudnnApi::Perf* found) {
  if (wanted < 1 || !count || !found) return CudnnApi::bad_param;
  const DnnProblem p(kWay, lt<DnnShape>(a), lt<DnnShape>(b), lt<DnnConv>(conv), lt<DnnShape>(c));
  *count = 0;
  if (const int status = p.check()) return status;
  const auto add = [&](int algo, int determinism) {
    const Index bytes = p.workspace(algo);
    if (*count == wanted) return;
    found[(*count)++] = {algo,
                         bytes < 0 ? int{CudnnApi::not_supported} : int{CudnnApi::ok},
                         static_cast<float>(*count),
                         static_cast<std::size_t>(bytes < 0 ? 0 : bytes),
                         determinism,
                         p.conv.math,
                         {}};
  };
  if (kWay == DnnProblem::forward) {
    for (const int algo : {CudnnApi::winograd, CudnnApi::implicit_precomp_gemm, CudnnApi::implicit_gemm})
      add(algo, CudnnApi::deterministic);
  } else {
    add(0, CudnnApi::not_deterministic);
    add(1, CudnnApi::deterministic);
  }
  return CudnnApi::ok;
}
template <DnnProblem::Way kWay>
int dnn_workspace(void*, void* a, void* b, void* conv, void* c, int algo, std::size_t* bytes) {
  const DnnProblem p(kWay, lt<DnnShape>(a), lt<DnnShape>(b), lt<DnnConv>(conv), lt<DnnShape>(c));
  if (const int status = p.check()) return status;
  if (p.workspace(algo) < 0) return CudnnApi::not_supported;
  *bytes = static_cast<std::size_t>(p.workspace(algo));
  return CudnnApi::ok;
}

/// The library's handle.
struct Dnn {
  void* stream = nullptr;
};

template <DnnProblem::Way kWay>
int dnn_run(void* handle, const void* alpha, void* da, const void* a, void* db, const void* b, void* conv,
            int algo, void* workspace, std::size_t workspace_bytes, const void* beta, void* dc, void* c) {
  const DnnProblem p(kWay, lt<DnnShape>(da), lt<DnnShape>(db), lt<DnnConv>(conv), lt<DnnShape>(dc));
  if (const int status = p.check()) return status;
  const Index needed = p.workspace(algo);
  if (needed < 0) return CudnnApi::not_supported;
  if (!alpha || !beta || static_cast<Index>(workspace_bytes) < needed || (needed && !workspace))
    return CudnnApi::bad_param;

  constexpr const char* call = kWay == DnnProblem::forward      ? "cudnnConvolutionForward"
                               : kWay == DnnProblem::grad_input ? "cudnnConvolutionBackwardData"
                                                                : "cudnnConvolutionBackwardFilter";
  constexpr const char* names[][3] = {{"x", "w", "y"}, {"w", "dy", "dx"}, {"x", "dy", "dw"}};
  std::set<const void*> uses;
  check_operand(call, names[kWay][0], a, lt<DnnShape>(da).bytes(), 16, uses);
  check_operand(call, names[kWay][1], b, lt<DnnShape>(db).bytes(), 16, uses);
  check_operand(call, names[kWay][2], c, lt<DnnShape>(dc).bytes(), 16, uses);
  if (needed) check_operand(call, "the workspace", workspace, static_cast<Index>(workspace_bytes), 16, uses);

  if (Machine::instance().idle) return CudnnApi::ok;
  const double by = lt_load(CublasApi::f32, alpha, 0), keep = lt_load(CublasApi::f32, beta, 0);
  Streams& streams = Streams::instance();
  streams.add(streams.stream(lt<Dnn>(handle).stream), call, std::move(uses), [=] {
    if (needed) __builtin_memset(workspace, 0xff, static_cast<std::size_t>(needed));
    p.run(by, keep, a, b, c);
  });
  return CudnnApi::ok;
}

inline int dnn_set_shape(void* d, int format, int type, int n, int c, int h, int w) {
  if (n < 1 || c < 1 || h < 1 || w < 1) return CudnnApi::bad_param;
  *static_cast<DnnShape*>(d) = {true, format, type, n, c, h, w};
  return CudnnApi::ok;
}

}  // namespace emu

namespace detail {

template <class C> void load_cudnn_api(C& c) {
  using namespace emu;
  using P = DnnProblem;
  const auto make_shape = [](void** d) {
    *d = new DnnShape;
    return 0;
  };
  const auto delete_shape = [](void* d) {
    delete static_cast<DnnShape*>(d);
    return 0;
  };
  c.api = {[](void** h) {
             *h = new Dnn;
             return 0;
           },
           [](void* h, void* stream) {
             static_cast<Dnn*>(h)->stream = stream;
             return 0;
           },
           make_shape,
           &dnn_set_shape,
           delete_shape,
           make_shape,
           [](void* d, int type, int format, int out, int in, int h, int w) {
             return dnn_set_shape(d, format, type, out, in, h, w);
           },
           delete_shape,
           [](void** d) {
             *d = new DnnConv;
             return 0;
           },
           [](void* d, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h, int dilation_w,
              int mode, int compute) {
             if (pad_h < 0 || pad_w < 0 || stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1)
               return int{CudnnApi::bad_param};
             if (mode != CudnnApi::cross_correlation) return int{CudnnApi::not_supported};
             auto& conv = *static_cast<DnnConv*>(d);
             conv = {true,       pad_h, pad_w,   stride_h,    stride_w, dilation_h,
                     dilation_w, mode,  compute, conv.groups, conv.math};
             return int{CudnnApi::ok};
           },
           [](void* d, int groups) {
             static_cast<DnnConv*>(d)->groups = groups;
             return groups < 1 ? int{CudnnApi::bad_param} : int{CudnnApi::ok};
           },
           [](void* d, int math) {
             static_cast<DnnConv*>(d)->math = math;
             return math < 0 || math > CudnnApi::only_fma ? int{CudnnApi::bad_param} : int{CudnnApi::ok};
           },
           [](void* d) {
             delete static_cast<DnnConv*>(d);
             return 0;
           },
           &dnn_algorithms<P::forward>,
           &dnn_algorithms<P::grad_input>,
           &dnn_algorithms<P::grad_weight>,
           &dnn_workspace<P::forward>,
           &dnn_workspace<P::grad_input>,
           &dnn_workspace<P::grad_weight>,
           &dnn_run<P::forward>,
           &dnn_run<P::grad_input>,
           &dnn_run<P::grad_weight>,
           [](int status) {
             return status == CudnnApi::bad_param       ? "CUDNN_STATUS_BAD_PARAM"
                    : status == CudnnApi::not_supported ? "CUDNN_STATUS_NOT_SUPPORTED"
                                                        : "CUDNN_STATUS_INTERNAL_ERROR";
           },
           [] { return std::size_t{91900}; }};
}

}  // namespace detail
TMOR_END
