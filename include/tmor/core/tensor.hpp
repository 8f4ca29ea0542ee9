#pragma once
/// @file tensor.hpp
/// `Tensor<T, Device>`: a cheap handle to a strided view of a block of memory. Typed at the edge, erased
/// inside: the element type and the device are compile-time, the rank and sizes are not, and the tape behind
/// it sees only `detail::TensorBody`. Copying a handle shares the tensor; `clone` (ops/movement.hpp) copies
/// the numbers.

#include <vector>

#include "tmor/core/dtype.hpp"
#include "tmor/core/shape.hpp"
#include "tmor/core/storage.hpp"

TMOR_BEGIN

namespace detail {

/// What the tape hangs on a tensor; autograd/node.hpp derives from it.
class NodeBase : public RefCounted {
 public:
  virtual ~NodeBase() = default;
};

struct TensorBody : RefCounted {
  Shape shape, strides;
  Index offset = 0;
  Ref<Storage> storage;
  DType dtype{};
  bool requires_grad = false;  ///< a leaf whose gradient is wanted
  Ref<NodeBase> node;          ///< how this value was computed, when a gradient flows through it
  Ref<TensorBody> grad;        ///< accumulated gradient of a leaf
  Ref<NodeBase> hooks;         ///< gradient hooks of a leaf
};

}  // namespace detail

/// A strided, typed view on device memory with an optional place on the tape.
///
/// - `T`: float, double, bf16, f16, std::int32_t, std::int64_t, std::uint8_t or bool.
/// - A default-constructed tensor is *undefined*; using it is an error that says so.
/// - Handles are shallow: `const Tensor` promises nothing about the numbers, which change only through
///   `mutable_data` and the functions whose name ends in `_`.
template <class T = float, class Device = Cpu> class Tensor {
 public:
  using value_type = T;
  using device_type = Device;

  Tensor() = default;
  explicit Tensor(Ref<detail::TensorBody> body) : body_(std::move(body)) {}

  /// Uninitialised, contiguous. @throws ShapeError for a negative size, Error when memory runs out.
  [[gnu::noinline]] static Tensor empty(const Shape& shape) {
    std::size_t n = sizeof(T);
    for (Index s : shape) {
      TMOR_CHECK_SHAPE(s >= 0, "[empty] negative size in shape ", shape);
      TMOR_CHECK_SHAPE(!__builtin_mul_overflow(n, static_cast<std::size_t>(s), &n), "[empty] shape ", shape,
                       " is too large");
    }
    auto b = make_ref<detail::TensorBody>();
    b->shape = shape;
    b->strides = contiguous_strides(shape);
    b->storage = Device::allocate(n);
    b->dtype = dtype_of<T>;
    return Tensor(std::move(b));
  }
  static Tensor zeros(const Shape& shape) { return full(shape, T(0)); }
  static Tensor ones(const Shape& shape) { return full(shape, T(1)); }
  static Tensor full(const Shape& shape, T value) {
    Tensor t = empty(shape);
    fill_memory(Device{}, t.mutable_data(), t.numel(), value);
    return t;
  }
  /// A tensor of rank 0.
  static Tensor scalar(T value) { return full({}, value); }
  /// Copies `values`, row-major. @throws ShapeError unless there are exactly `shape.numel()` of them.
  static Tensor from(const std::vector<T>& values, const Shape& shape) requires(!std::is_same_v<T, bool>) {
    TMOR_CHECK_SHAPE(static_cast<Index>(values.size()) == shape.numel(), "[from] ", values.size(),
                     " values for shape ", shape);
    return from_pointer(values.data(), shape);
  }
  /// The same for a list of rank 1.
  static Tensor from(const std::vector<T>& values) requires(!std::is_same_v<T, bool>) {
    return from(values, {static_cast<Index>(values.size())});
  }
  /// Copies `shape.numel()` values from host memory.
  static Tensor from_pointer(const T* values, const Shape& shape) {
    Tensor t = empty(shape);
    copy_from_host(Device{}, t.mutable_data(), values, t.numel());
    return t;
  }

  bool defined() const { return static_cast<bool>(body_); }
  const Shape& shape() const { return body().shape; }
  const Shape& strides() const { return body().strides; }
  int rank() const { return shape().rank(); }
  Index numel() const { return shape().numel(); }
  /// Size of dimension `dim`; negative counts from the back.
  Index size(Index dim) const { return shape()[wrap_dim(dim, rank(), "size")]; }
  Index stride(Index dim) const { return strides()[wrap_dim(dim, rank(), "stride")]; }

  /// True when elements lie row-major without gaps (strides of size-1 dimensions do not matter).
  bool is_contiguous() const {
    Index expect = 1;
    for (int i = rank() - 1; i >= 0; --i) {
      if (shape()[i] == 0) return true;
      if (shape()[i] != 1 && strides()[i] != expect) return false;
      expect *= shape()[i];
    }
    return true;
  }

  /// First element, for reading; device memory when `Device` is not the host.
  const T* data() const { return static_cast<const T*>(body().storage->data()) + body().offset; }
  /// First element, for writing: bumps the version, so that the tape notices if it had saved the old
  /// contents.
  T* mutable_data() const {
    body().storage->bump_version();
    return static_cast<T*>(body().storage->data()) + body().offset;
  }
  unsigned version() const { return body().storage->version(); }

  /// The single element. @throws ShapeError when there is not exactly one.
  T item() const {
    TMOR_CHECK_SHAPE(numel() == 1, "[item] needs exactly one element, the shape is ", shape());
    T v;
    copy_to_host(Device{}, &v, data(), 1);
    return v;
  }
  /// Element at `index`, one entry a dimension; for tests and printing, not for loops that must be fast.
  T at(const Shape& index) const {
    TMOR_CHECK_SHAPE(index.rank() == rank(), "[at] ", index.rank(), " indices for shape ", shape());
    Index off = 0;
    for (int i = 0; i < rank(); ++i) {
      TMOR_CHECK_SHAPE(index[i] >= 0 && index[i] < shape()[i], "[at] index ", index, " outside shape ",
                       shape());
      off += index[i] * strides()[i];
    }
    T v;
    copy_to_host(Device{}, &v, data() + off, 1);
    return v;
  }

  /// All elements, row-major, on the host.
  std::vector<T> to_vector() const requires(!std::is_same_v<T, bool>) {
    std::vector<T> v(static_cast<std::size_t>(numel()));
    read(v.data());
    return v;
  }
  /// Copies all elements, row-major, to host memory for `numel()` values.
  void read(T* host) const {
    if (is_contiguous()) {
      copy_to_host(Device{}, host, data(), numel());
    } else {
      Tensor t = empty(shape());
      copy_into(Device{}, t, *this);
      copy_to_host(Device{}, host, t.data(), numel());
    }
  }

  /// Another view on the same memory; gradients do not flow (ops/movement.hpp wraps this with the tape).
  [[gnu::noinline]] Tensor as_strided(const Shape& shape, const Shape& strides, Index offset) const {
    auto b = make_ref<detail::TensorBody>();
    b->shape = shape;
    b->strides = strides;
    b->offset = body().offset + offset;
    b->storage = body().storage;
    b->dtype = dtype_of<T>;
    return Tensor(std::move(b));
  }
  /// The same numbers, cut off from the tape.
  Tensor detach() const { return as_strided(shape(), strides(), 0); }

  /// True when `backward` would carry a gradient to or through this tensor.
  bool requires_grad() const { return body().requires_grad || static_cast<bool>(body().node); }
  /// Marks a leaf (a tensor not computed from others on the tape) as wanting a gradient. @throws Error for
  /// others.
  const Tensor& requires_grad_(bool on = true) const {
    static_assert(is_floating<T>, "only floating-point tensors have gradients");
    TMOR_CHECK(!body().node, "[requires_grad_] this tensor was computed by an operation; detach() it first");
    body().requires_grad = on;
    return *this;
  }
  bool is_leaf() const { return !body().node; }
  /// Gradient accumulated by `backward`; undefined when there is none.
  Tensor grad() const { return Tensor(body().grad); }
  void clear_grad() const { body().grad.reset(); }
  void set_grad(const Tensor& g) const {
    TMOR_CHECK_SHAPE(g.shape() == shape(), "[set_grad] gradient ", g.shape(), " for a tensor ", shape());
    body().grad = g.body_;
  }

  /// Same storage, offset, shape and strides?
  bool same_view(const Tensor& o) const {
    return body().storage == o.body().storage && body().offset == o.body().offset && shape() == o.shape() &&
           strides() == o.strides();
  }
  detail::TensorBody& body() const {
    TMOR_CHECK(body_, "this tensor is undefined: it was default-constructed and never assigned");
    return *body_;
  }
  const Ref<detail::TensorBody>& body_ref() const { return body_; }

 private:
  Ref<detail::TensorBody> body_;
};

// What a device must offer to core; `Cuda`'s are in cuda/.
template <class T> void fill_memory(Cpu, T* p, Index n, T value) {
  for (Index i = 0; i < n; ++i) p[i] = value;
}
template <class T> void copy_from_host(Cpu, T* device, const T* host, Index n) {
  if (n > 0) std::memcpy(static_cast<void*>(device), host, static_cast<std::size_t>(n) * sizeof(T));
}
template <class T> void copy_to_host(Cpu, T* host, const T* device, Index n) {
  if (n > 0) std::memcpy(static_cast<void*>(host), device, static_cast<std::size_t>(n) * sizeof(T));
}

TMOR_END
