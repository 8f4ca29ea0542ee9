#pragma once
/// @file cublas.hpp
/// The emulated device behind the table of cuBLASLt functions (cuda/cublas.hpp): a plain product that checks
/// its arguments as the library does or should, and takes its turn in the stream. What the library would
/// refuse is refused with its status; addresses that a GPU would stumble over are a tmor::Error that names
/// the operand.

#include <cmath>

#include "tmor/core/dtype.hpp"
#include "tmor/cuda/cublas_table.hpp"
#include "tmor/cuda/emu/api.hpp"

TMOR_BEGIN
namespace emu {

struct LtDesc {
  int compute = 0, scale = 0;
  std::int32_t transpose[2] = {};  // of A, of B
  std::uint32_t epilogue = CublasApi::plain;
  const void* bias = nullptr;
};
struct LtLayout {
  int type = 0;
  Index rows = 0, columns = 0, ld = 0;
  std::int32_t batch = 1;
  std::int64_t batch_stride = 0;

  /// Elements from the first to behind the last.
  Index extent() const { return (batch - 1) * batch_stride + (columns - 1) * ld + rows; }
};
struct LtPreference {
  std::uint64_t workspace = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C, D
};

inline Index lt_element(int type) { return type == CublasApi::f64 ? 8 : type == CublasApi::f32 ? 4 : 2; }
inline double lt_load(int type, const void* p, Index i) {
  switch (type) {
    case CublasApi::f64:
      return static_cast<const double*>(p)[i];
    case CublasApi::f16:
      return static_cast<double>(static_cast<float>(static_cast<const f16*>(p)[i]));
    case CublasApi::bf16:
      return static_cast<double>(static_cast<float>(static_cast<const tmor::bf16*>(p)[i]));
    default:
      return static_cast<double>(static_cast<const float*>(p)[i]);
  }
}
inline void lt_store(int type, void* p, Index i, double v) {
  const auto f = static_cast<float>(v);
  switch (type) {
    case CublasApi::f64:
      static_cast<double*>(p)[i] = v;
      return;
    case CublasApi::f16:
      static_cast<f16*>(p)[i] = f;
      return;
    case CublasApi::bf16:
      static_cast<tmor::bf16*>(p)[i] = f;
      return;
    default:
      static_cast<float*>(p)[i] = f;
  }
}
/// A factor as the compute type takes it.
inline double lt_factor(int compute, double v) {
  if (compute == CublasApi::in_bf16)
    return static_cast<double>(static_cast<float>(tmor::bf16(static_cast<float>(v))));
  if (compute != CublasApi::in_tf32) return v;
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(v));
  return static_cast<double>(std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu));  // 10 bits stay
}
inline double lt_finished(std::uint32_t epilogue, double v) {
  if (epilogue & CublasApi::relu) return v < 0 ? 0 : v;
  constexpr double root = 0.7978845608028654;  // of 2 / pi
  if (epilogue & CublasApi::gelu) return v / 2 * (1 + std::tanh(root * (v + 0.044715 * v * v * v)));
  return v;
}

/// A product with all that an algorithm is chosen by.
struct LtProblem {
  LtDesc op;
  LtLayout a, b, c, d;

  Index k() const { return op.transpose[0] ? a.rows : a.columns; }

  /// 0, or the library's status.
  int check() const {
    const auto known = [](int type) {
      return type == CublasApi::f32 || type == CublasApi::f64 || type == CublasApi::f16 ||
             type == CublasApi::bf16;
    };
    for (const LtLayout* l : {&a, &b, &c, &d}) {
      if (!known(l->type)) return CublasApi::not_supported;
      if (l->rows <= 0 || l->columns <= 0 || l->ld < l->rows || l->batch < 1 || l->batch_stride < 0 ||
          l->batch != d.batch)
        return CublasApi::invalid_value;
    }
    const bool ta = op.transpose[0], tb = op.transpose[1];
    if ((ta ? a.columns : a.rows) != d.rows || (tb ? b.rows : b.columns) != d.columns ||
        (tb ? b.columns : b.rows) != k() || c.rows != d.rows || c.columns != d.columns)
      return CublasApi::invalid_value;
    if (d.batch > 1 && d.batch_stride < (d.columns - 1) * d.ld + d.rows)
      return CublasApi::invalid_value;  // results would lie on one another
    // Types, as in the library's table of what goes with what.
    const bool in_f64 = op.compute == CublasApi::in_f64;
    const bool half = a.type == CublasApi::f16 || a.type == CublasApi::bf16;
    if (a.type != b.type || c.type != d.type || in_f64 != (a.type == CublasApi::f64) ||
        op.scale != (in_f64 ? CublasApi::f64 : CublasApi::f32) ||
        (d.type != a.type && !(half && d.type == CublasApi::f32)) ||
        (half && op.compute != CublasApi::in_f32))
      return CublasApi::not_supported;
    const std::uint32_t e = op.epilogue;
    if (e != CublasApi::plain && (in_f64 || e & ~(CublasApi::relu | CublasApi::bias | CublasApi::gelu) ||
                                  (e & CublasApi::relu && e & CublasApi::gelu) || e == 0))
      return CublasApi::not_supported;
    return CublasApi::ok;
  }
  /// The same number for the same problem; the bias may be another.
  std::uint64_t number() const {
    std::uint64_t h = 1469598103934665603u;
    const auto add = [&h](Index v) { h = (h ^ static_cast<std::uint64_t>(v)) * 1099511628211u; };
    for (const Index v : {Index{op.compute}, Index{op.transpose[0]}, Index{op.transpose[1]}}) add(v);
    add(op.epilogue);
    for (const LtLayout* l : {&a, &b, &c, &d})
      for (const Index v : {Index{l->type}, l->rows, l->columns, l->ld, Index{l->batch}, l->batch_stride})
        add(v);
    return h;
  }
  void run(double alpha, double beta, const void* pa, const void* pb, const void* pc, void* pd) const {
    const auto element = [](const LtLayout& l, bool turned, Index batch, Index i, Index j) {
      return batch * l.batch_stride + (turned ? i * l.ld + j : j * l.ld + i);
    };
    const auto factor = [&](const LtLayout& l, const void* p, bool turned, Index batch, Index i, Index j) {
      return lt_factor(op.compute, lt_load(l.type, p, element(l, turned, batch, i, j)));
    };
    for (Index z = 0; z < d.batch; ++z)
      for (Index j = 0; j < d.columns; ++j)
        for (Index i = 0; i < d.rows; ++i) {
          double sum = 0;
          for (Index q = 0; q < k(); ++q)
            sum += factor(a, pa, op.transpose[0], z, i, q) * factor(b, pb, op.transpose[1], z, q, j);
          sum *= alpha;
          if (beta != 0) sum += beta * lt_load(c.type, pc, element(c, false, z, i, j));  // else C is not read
          if (op.epilogue & CublasApi::bias) sum += lt_load(d.type, op.bias, i);
          lt_store(d.type, pd, element(d, false, z, i, j), lt_finished(op.epilogue, sum));
        }
  }
};

/// Sets the field of `attribute` if `bytes` is its size: 0, or the library's status.
template <class V> int lt_set(V& field, const void* value, std::size_t bytes) {
  if (!value || bytes != sizeof(V)) return CublasApi::invalid_value;
  __builtin_memcpy(&field, value, bytes);
  return CublasApi::ok;
}
inline int lt_set_desc(void* p, int attribute, const void* value, std::size_t bytes) {
  LtDesc& d = *static_cast<LtDesc*>(p);
  switch (attribute) {
    case CublasApi::transpose_a:
    case CublasApi::transpose_b:
      return lt_set(d.transpose[attribute - CublasApi::transpose_a], value, bytes);
    case CublasApi::epilogue:
      return lt_set(d.epilogue, value, bytes);
    case CublasApi::bias_pointer:
      return lt_set(d.bias, value, bytes);
    default:
      return CublasApi::invalid_value;
  }
}
inline int lt_set_layout(void* p, int attribute, const void* value, std::size_t bytes) {
  LtLayout& l = *static_cast<LtLayout*>(p);
  if (attribute == CublasApi::batch_count) return lt_set(l.batch, value, bytes);
  if (attribute == CublasApi::batch_stride) return lt_set(l.batch_stride, value, bytes);
  return CublasApi::invalid_value;
}
inline int lt_set_preference(void* p, int attribute, const void* value, std::size_t bytes) {
  LtPreference& wish = *static_cast<LtPreference*>(p);
  if (attribute == CublasApi::workspace_bytes) return lt_set(wish.workspace, value, bytes);
  const int which = attribute - CublasApi::alignment_a;
  return which < 0 || which > 3 ? CublasApi::invalid_value : lt_set(wish.alignment[which], value, bytes);
}

template <class T> const T& lt(const void* p) { return *static_cast<const T*>(p); }

/// One algorithm; it wants a workspace where the library would cut the inner dimension into parts.
inline int lt_heuristic(void*, void* op, void* a, void* b, void* c, void* d, void* preference, int wanted,
                        CublasApi::Heuristic* found, int* count) {
  if (wanted < 1 || !found || !count) return CublasApi::invalid_value;
  const LtProblem p{lt<LtDesc>(op), lt<LtLayout>(a), lt<LtLayout>(b), lt<LtLayout>(c), lt<LtLayout>(d)};
  const auto& wish = lt<LtPreference>(preference);
  *count = 0;
  if (const int status = p.check()) return status;
  found[0] = {};
  const auto parts = static_cast<std::uint64_t>(p.d.batch * p.d.rows * p.d.columns + 31) / 32 * 256;
  if (p.k() >= 512 && parts <= wish.workspace) found[0].workspace = parts;
  found[0].algo.data[0] = p.number();
  found[0].algo.data[1] = found[0].workspace;
  for (int i = 0; i < 4; ++i) found[0].algo.data[2 + i] = wish.alignment[i];
  *count = 1;
  return CublasApi::ok;
}

inline int lt_matmul(void*, void* op, const void* alpha, const void* a, void* la, const void* b, void* lb,
                     const void* beta, const void* c, void* lc, void* d, void* ld,
                     const CublasApi::Algo* algo, void* workspace, std::size_t workspace_bytes,
                     void* stream) {
  const LtProblem p{lt<LtDesc>(op), lt<LtLayout>(la), lt<LtLayout>(lb), lt<LtLayout>(lc), lt<LtLayout>(ld)};
  if (const int status = p.check()) return status;
  if (!alpha || !beta || (c == d && (p.c.ld != p.d.ld || p.c.batch_stride != p.d.batch_stride)))
    return CublasApi::invalid_value;
  // An algorithm is good for the problem it was found for, and needs what it said it would.
  const std::size_t needed = algo ? static_cast<std::size_t>(algo->data[1]) : 0;
  if (algo && algo->data[0] != p.number()) return CublasApi::invalid_value;
  if (workspace_bytes < needed || (needed && !workspace)) return CublasApi::invalid_value;

  std::set<const void*> uses;
  const auto check = [&](const char* name, const void* x, Index bytes, std::uint64_t alignment) {
    check_operand("cublasLtMatmul", name, x, bytes, alignment, uses);
  };
  const struct {
    const char* name;
    const void* p;
    const LtLayout& l;
  } operands[] = {{"A", a, p.a}, {"B", b, p.b}, {"C", c, p.c}, {"D", d, p.d}};
  for (int i = 0; i < 4; ++i)
    check(operands[i].name, operands[i].p, operands[i].l.extent() * lt_element(operands[i].l.type),
          algo ? algo->data[2 + i] : 16);
  if (p.op.epilogue & CublasApi::bias) check("the bias", p.op.bias, p.d.rows * lt_element(p.d.type), 16);
  if (needed) check("the workspace", workspace, static_cast<Index>(workspace_bytes), 16);

  if (Machine::instance().idle) return CublasApi::ok;
  const int scale = p.op.scale;
  const double by = lt_load(scale, alpha, 0), keep = lt_load(scale, beta, 0);
  Streams& streams = Streams::instance();
  streams.add(streams.stream(stream), "cublasLtMatmul", std::move(uses), [=] {
    if (needed) __builtin_memset(workspace, 0xff, needed);
    p.run(by, keep, a, b, c, d);
  });
  return CublasApi::ok;
}

}  // namespace emu

namespace detail {

template <class C> void load_cublas_api(C& c) {
  using namespace emu;
  c.api = {[](void** h) {
             *h = nullptr;
             return 0;
           },
           [](void** d, int compute, int scale) {
             *d = new LtDesc{compute, scale};
             return 0;
           },
           &lt_set_desc,
           [](void* d) {
             delete static_cast<LtDesc*>(d);
             return 0;
           },
           [](void** l, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t ld) {
             *l = new LtLayout{type, static_cast<Index>(rows), static_cast<Index>(columns), ld};
             return 0;
           },
           &lt_set_layout,
           [](void* l) {
             delete static_cast<LtLayout*>(l);
             return 0;
           },
           [](void** p) {
             *p = new LtPreference;
             return 0;
           },
           &lt_set_preference,
           [](void* p) {
             delete static_cast<LtPreference*>(p);
             return 0;
           },
           &lt_heuristic,
           &lt_matmul,
           [](int status) {
             return status == CublasApi::invalid_value   ? "an unsupported value or parameter was passed"
                    : status == CublasApi::not_supported ? "the functionality requested is not supported"
                                                         : "unknown error";
           },
           [] { return std::size_t{130000}; }};
}

}  // namespace detail
TMOR_END
