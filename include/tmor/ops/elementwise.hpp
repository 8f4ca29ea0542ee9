#pragma once
/// @file elementwise.hpp
/// The pointwise operations: arithmetic, comparison, activation and selection, each one functor (see
/// pointwise.hpp).
///
/// Gradient conventions at kinks: relu'(0) = 0, abs'(0) = 0, clamp passes the gradient inside and at its
/// bounds, max and min give it to the first argument on ties. `sqrt`, `log` and `pow` follow IEEE: infinities
/// and NaN appear where the mathematics has them, in value and gradient.

#include "tmor/ops/pointwise.hpp"

TMOR_BEGIN

/// Functors of the built-in operations; each works on float, double, `Pack` and `Dual`.
namespace fn {

#define TMOR_FUNCTOR_1(Name, text, expr)                                \
  struct Name {                                                         \
    static constexpr const char* name = text;                           \
    template <class V> TMOR_HD V operator()(V x) const { return expr; } \
  };
#define TMOR_FUNCTOR_2(Name, text, expr)                                     \
  struct Name {                                                              \
    static constexpr const char* name = text;                                \
    template <class V> TMOR_HD V operator()(V a, V b) const { return expr; } \
  };
#define TMOR_COMPARE(Name, text, expr)                                                           \
  struct Name {                                                                                  \
    static constexpr const char* name = text;                                                    \
    using result = bool;                                                                         \
    template <class V> TMOR_HD V operator()(V a, V b) const { return select(expr, V(1), V(0)); } \
  };

TMOR_FUNCTOR_1(Neg, "neg", -x)
TMOR_FUNCTOR_1(Abs, "abs", math::abs(x))
TMOR_FUNCTOR_1(Square, "square", x* x)
TMOR_FUNCTOR_1(Log, "log", math::log(x))
TMOR_FUNCTOR_1(Log1p, "log1p", math::log1p(x))
TMOR_FUNCTOR_1(Expm1, "expm1", math::expm1(x))
TMOR_FUNCTOR_1(Rsqrt, "rsqrt", math::rsqrt(x))
TMOR_FUNCTOR_1(Erf, "erf", math::erf(x))
TMOR_FUNCTOR_1(Sin, "sin", math::sin(x))
TMOR_FUNCTOR_1(Cos, "cos", math::cos(x))
TMOR_FUNCTOR_1(Relu, "relu", select(x <= V(0), V(0), x))
TMOR_FUNCTOR_1(Softplus, "softplus", math::softplus(x))
TMOR_FUNCTOR_1(LogSigmoid, "log_sigmoid", -math::softplus(-x))
TMOR_FUNCTOR_1(Silu, "silu", x* math::sigmoid(x))
TMOR_FUNCTOR_1(Gelu, "gelu", x* V(0.5) * (V(1) + math::erf(x * V(0.70710678118654752))))
TMOR_FUNCTOR_1(GeluTanh, "gelu_tanh",
               x* V(0.5) * (V(1) + math::tanh(V(0.79788456080286536) * (x + V(0.044715) * x * x * x))))
TMOR_FUNCTOR_1(QuickGelu, "quick_gelu", x* math::sigmoid(V(1.702) * x))

TMOR_FUNCTOR_2(Add, "add", a + b)
TMOR_FUNCTOR_2(Sub, "sub", a - b)
TMOR_FUNCTOR_2(Mul, "mul", a* b)
TMOR_FUNCTOR_2(Div, "div", a / b)
TMOR_FUNCTOR_2(Pow, "pow", math::pow(a, b))
TMOR_FUNCTOR_2(Maximum, "maximum", select(a >= b, a, b))
TMOR_FUNCTOR_2(Minimum, "minimum", select(a <= b, a, b))

TMOR_COMPARE(Equal, "equal", a == b)
TMOR_COMPARE(NotEqual, "not_equal", a != b)
TMOR_COMPARE(Less, "less", a < b)
TMOR_COMPARE(LessEqual, "less_equal", a <= b)
TMOR_COMPARE(Greater, "greater", a > b)
TMOR_COMPARE(GreaterEqual, "greater_equal", a >= b)

#undef TMOR_FUNCTOR_1
#undef TMOR_FUNCTOR_2
#undef TMOR_COMPARE

// Functions whose derivative is cheaper from their value.
struct Exp {
  static constexpr const char* name = "exp";
  template <class V> TMOR_HD V operator()(V x) const { return math::exp(x); }
  template <class V> TMOR_HD V derivative_from_output(V y) const { return y; }
};
struct Sqrt {
  static constexpr const char* name = "sqrt";
  template <class V> TMOR_HD V operator()(V x) const { return math::sqrt(x); }
  template <class V> TMOR_HD V derivative_from_output(V y) const { return V(0.5) / y; }
};
struct Tanh {
  static constexpr const char* name = "tanh";
  template <class V> TMOR_HD V operator()(V x) const { return math::tanh(x); }
  template <class V> TMOR_HD V derivative_from_output(V y) const { return V(1) - y * y; }
};
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  template <class V> TMOR_HD V operator()(V x) const { return math::sigmoid(x); }
  template <class V> TMOR_HD V derivative_from_output(V y) const { return y * (V(1) - y); }
};

// With a constant.
struct AddScalar {
  static constexpr const char* name = "add_scalar";
  double s;
  template <class V> TMOR_HD V operator()(V x) const { return x + V(s); }
};
struct MulScalar {
  static constexpr const char* name = "mul_scalar";
  double s;
  template <class V> TMOR_HD V operator()(V x) const { return x * V(s); }
};
struct ScalarMinus {
  static constexpr const char* name = "scalar_minus";
  double s;
  template <class V> TMOR_HD V operator()(V x) const { return V(s) - x; }
};
struct ScalarOver {
  static constexpr const char* name = "scalar_over";
  double s;
  template <class V> TMOR_HD V operator()(V x) const { return V(s) / x; }
};
struct PowScalar {
  static constexpr const char* name = "pow_scalar";
  double s;
  template <class V> TMOR_HD V operator()(V x) const { return math::pow(x, V(s)); }
};
struct Clamp {
  static constexpr const char* name = "clamp";
  double low, high;
  template <class V> TMOR_HD V operator()(V x) const {
    return select(x < V(low), V(low), select(x > V(high), V(high), x));
  }
};
struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  double slope;
  template <class V> TMOR_HD V operator()(V x) const { return select(x > V(0), x, V(slope) * x); }
};

struct Where {
  static constexpr const char* name = "where";
  template <class V> TMOR_HD V operator()(V condition, V a, V b) const {
    return select(condition != V(0), a, b);
  }
};
struct LogicalNot {
  static constexpr const char* name = "logical_not";
  using result = bool;
  template <class V> TMOR_HD V operator()(V x) const { return select(x == V(0), V(1), V(0)); }
};

}  // namespace fn

#define TMOR_UNARY(function, Functor)                                                       \
  template <class T, class Device> Tensor<T, Device> function(const Tensor<T, Device>& x) { \
    return pointwise(fn::Functor{}, x);                                                     \
  }
#define TMOR_BINARY(function, Functor)                                                  \
  template <class A, class B, class Device>                                             \
  Tensor<pointwise_t<fn::Functor, A, B>, Device> function(const Tensor<A, Device>& a,   \
                                                          const Tensor<B, Device>& b) { \
    return pointwise(fn::Functor{}, a, b);                                              \
  }

/// -x.
TMOR_UNARY(operator-, Neg)
/// |x|.
TMOR_UNARY(abs, Abs)
/// x^2.
TMOR_UNARY(square, Square)
/// e^x.
TMOR_UNARY(exp, Exp)
/// e^x - 1 without cancellation near 0.
TMOR_UNARY(expm1, Expm1)
/// Natural logarithm.
TMOR_UNARY(log, Log)
/// log(1 + x) without cancellation near 0.
TMOR_UNARY(log1p, Log1p)
/// Square root.
TMOR_UNARY(sqrt, Sqrt)
/// 1 / sqrt(x).
TMOR_UNARY(rsqrt, Rsqrt)
/// Sine.
TMOR_UNARY(sin, Sin)
/// Cosine.
TMOR_UNARY(cos, Cos)
/// Hyperbolic tangent.
TMOR_UNARY(tanh, Tanh)
/// 1 / (1 + e^-x).
TMOR_UNARY(sigmoid, Sigmoid)
/// Logarithm of the sigmoid, without overflow.
TMOR_UNARY(log_sigmoid, LogSigmoid)
/// Error function.
TMOR_UNARY(erf, Erf)
/// x where positive, else 0.
TMOR_UNARY(relu, Relu)
/// log(1 + e^x), without overflow.
TMOR_UNARY(softplus, Softplus)
/// x sigmoid(x).
TMOR_UNARY(silu, Silu)
/// x Phi(x), exact (Hendrycks and Gimpel 2016).
TMOR_UNARY(gelu, Gelu)
/// The tanh approximation of gelu.
TMOR_UNARY(gelu_tanh, GeluTanh)
/// x sigmoid(1.702 x), as in CLIP.
TMOR_UNARY(quick_gelu, QuickGelu)

/// a b.
TMOR_BINARY(operator*, Mul)
/// a / b.
TMOR_BINARY(operator/, Div)
/// a^b.
TMOR_BINARY(pow, Pow)
/// The larger, element by element; the gradient goes to a on ties.
TMOR_BINARY(maximum, Maximum)
/// The smaller, element by element; the gradient goes to a on ties.
TMOR_BINARY(minimum, Minimum)
/// a == b.
TMOR_BINARY(equal, Equal)
/// a != b.
TMOR_BINARY(not_equal, NotEqual)
/// a < b.
TMOR_BINARY(less, Less)
/// a <= b.
TMOR_BINARY(less_equal, LessEqual)
/// a > b.
TMOR_BINARY(greater, Greater)
/// a >= b.
TMOR_BINARY(greater_equal, GreaterEqual)
#undef TMOR_UNARY
#undef TMOR_BINARY

namespace detail {
/// Addition needs no saved tensor and no arithmetic backward: the gradient is dy itself, summed where
/// broadcast.
template <class F, class A, class B, class Device>
Tensor<promote_t<A, B>, Device> add_or_sub(const F& f, bool minus, const Tensor<A, Device>& a,
                                           const Tensor<B, Device>& b) {
  using To = promote_t<A, B>;
  auto y = Tensor<To, Device>::empty(broadcast_shapes(a.shape(), b.shape(), F::name));
  run_pointwise<compute_t<To>>(Device{}, f, y, a, b);
  if constexpr (std::is_same_v<A, B> && is_floating<A>) {
    if (needs_grad(a, b))
      record(y, F::name, inputs(a, b),
             [minus, sa = a.shape(), sb = b.shape()](const Tensor<To, Device>& dy, Grads& g) {
               if (g.wants(0)) g.add(0, sum_to(dy, sa));
               if (g.wants(1)) g.add(1, minus ? -sum_to(dy, sb) : sum_to(dy, sb));
             });
  } else {
    static_assert(!(is_floating<A> && is_floating<B>),
                  "add tensors of one floating type; convert with to<T>(x)");
  }
  return y;
}
}  // namespace detail

/// a + b.
template <class A, class B, class Device>
Tensor<promote_t<A, B>, Device> operator+(const Tensor<A, Device>& a, const Tensor<B, Device>& b) {
  return detail::add_or_sub(fn::Add{}, false, a, b);
}
/// a - b.
template <class A, class B, class Device>
Tensor<promote_t<A, B>, Device> operator-(const Tensor<A, Device>& a, const Tensor<B, Device>& b) {
  return detail::add_or_sub(fn::Sub{}, true, a, b);
}

#define TMOR_WITH_SCALAR(op, right, left)                                                                \
  template <class T, class Device> Tensor<T, Device> operator op(const Tensor<T, Device>& x, double s) { \
    return pointwise(right, x);                                                                          \
  }                                                                                                      \
  template <class T, class Device> Tensor<T, Device> operator op(double s, const Tensor<T, Device>& x) { \
    return pointwise(left, x);                                                                           \
  }
TMOR_WITH_SCALAR(+, fn::AddScalar{s}, fn::AddScalar{s})
TMOR_WITH_SCALAR(*, fn::MulScalar{s}, fn::MulScalar{s})
TMOR_WITH_SCALAR(-, fn::AddScalar{-s}, fn::ScalarMinus{s})
TMOR_WITH_SCALAR(/, fn::MulScalar{1.0 / s}, fn::ScalarOver{s})
#undef TMOR_WITH_SCALAR

/// x^s for a constant exponent.
template <class T, class Device> Tensor<T, Device> pow(const Tensor<T, Device>& x, double s) {
  return pointwise(fn::PowScalar{s}, x);
}
/// x limited to [low, high]; NaN stays NaN. @throws Error when low > high.
template <class T, class Device>
Tensor<T, Device> clamp(const Tensor<T, Device>& x, double low, double high) {
  TMOR_CHECK(low <= high, "[clamp] low ", low, " is above high ", high);
  return pointwise(fn::Clamp{low, high}, x);
}
/// x where positive, else slope * x.
template <class T, class Device>
Tensor<T, Device> leaky_relu(const Tensor<T, Device>& x, double slope = 0.01) {
  return pointwise(fn::LeakyRelu{slope}, x);
}
/// a where `condition` holds, else b; all three broadcast.
template <class T, class Device>
Tensor<T, Device> where(const Tensor<bool, Device>& condition, const Tensor<T, Device>& a,
                        const Tensor<T, Device>& b) {
  return pointwise(fn::Where{}, condition, a, b);
}
template <class Device> Tensor<bool, Device> logical_not(const Tensor<bool, Device>& x) {
  return pointwise(fn::LogicalNot{}, x);
}

/// Conversion to another element type; differentiable between floating types.
template <class To, class T, class Device> Tensor<To, Device> to(const Tensor<T, Device>& x) {
  if constexpr (std::is_same_v<To, T>) {
    return x;
  } else {
    auto y = Tensor<To, Device>::empty(x.shape());
    copy_into(Device{}, y, x);
    if constexpr (is_floating<To> && is_floating<T>) {
      if (needs_grad(x))
        record(y, "to", inputs(x), [](const Tensor<To, Device>& dy, Grads& g) { g.add(0, to<T>(dy)); });
    }
    return y;
  }
}

namespace detail {
template <class F, class T, class Device>
void assign(const F& f, const char* name, const Tensor<T, Device>& x, const Tensor<T, Device>& y) {
  TMOR_CHECK_SHAPE(x.shape() == y.shape(), "[", name, "] shapes ", x.shape(), " and ", y.shape(),
                   " differ; an in-place operation does not broadcast");
  TMOR_CHECK(!needs_grad(x, y), "[", name,
             "] in-place operations are not recorded on the tape: use the plain form, or a NoGrad scope");
  run_pointwise<compute_t<T>>(Device{}, f, x, x, y);
}
}  // namespace detail

/// x += y, x -= y, x *= y in place, equal shapes. @throws Error when the tape would have to record it.
template <class T, class Device>
const Tensor<T, Device>& operator+=(const Tensor<T, Device>& x, const Tensor<T, Device>& y) {
  detail::assign(fn::Add{}, "+=", x, y);
  return x;
}
template <class T, class Device>
const Tensor<T, Device>& operator-=(const Tensor<T, Device>& x, const Tensor<T, Device>& y) {
  detail::assign(fn::Sub{}, "-=", x, y);
  return x;
}
template <class T, class Device>
const Tensor<T, Device>& operator*=(const Tensor<T, Device>& x, const Tensor<T, Device>& y) {
  detail::assign(fn::Mul{}, "*=", x, y);
  return x;
}
/// x *= s in place.
template <class T, class Device> const Tensor<T, Device>& operator*=(const Tensor<T, Device>& x, double s) {
  TMOR_CHECK(!needs_grad(x), "[*=] in-place operations are not recorded on the tape; use a NoGrad scope");
  run_pointwise<compute_t<T>>(Device{}, fn::MulScalar{s}, x, x);
  return x;
}
/// Copies the numbers of `src`, equal shapes, types converted. @throws Error when the tape would have to
/// record it.
template <class To, class Ti, class Device>
void copy_(const Tensor<To, Device>& dst, const Tensor<Ti, Device>& src) {
  TMOR_CHECK_SHAPE(dst.shape() == src.shape(), "[copy_] shapes ", dst.shape(), " and ", src.shape(),
                   " differ");
  TMOR_CHECK(!needs_grad(dst, src), "[copy_] is not recorded on the tape; use a NoGrad scope");
  copy_into(Device{}, dst, src);
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/elementwise.inl"
#endif
