#pragma once
/// @file array.hpp
/// `Array`: what a file holds, an element type, a shape and its row-major elements. The readers make it and
/// the writers take it; it knows nothing of tensors, gradients or devices.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "tmor/core/dtype.hpp"
#include "tmor/core/finite.hpp"
#include "tmor/core/shape.hpp"

TMOR_BEGIN
namespace io {

static_assert(std::endian::native == std::endian::little, "the readers copy little-endian bytes as they are");

/// Calls `f(T{})` with the type that `t` names.
template <class F> decltype(auto) visit_dtype(DType t, F&& f) {
  switch (t) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::bf16:
      return f(bf16{});
    case DType::f16:
      return f(f16{});
    case DType::i32:
      return f(std::int32_t{});
    case DType::i64:
      return f(std::int64_t{});
    case DType::u8:
      return f(std::uint8_t{});
    case DType::boolean:
      break;
  }
  return f(bool{});
}

/// Bytes of an array of that type and shape. `name` is named in the error.
/// @throws IoError when a size is negative or the bytes would be more than `cap` (no overflow on the way).
inline std::size_t checked_bytes(DType dtype, const Shape& shape, std::string_view name,
                                 std::size_t cap = std::size_t{1} << 46) {
  std::size_t n = dtype_size(dtype);
  bool fits = true, empty = false;
  for (Index s : shape) {
    TMOR_CHECK_IO(s >= 0, name, ": negative size in the shape ", shape);
    empty |= s == 0;
    fits = fits && !__builtin_mul_overflow(n, static_cast<std::size_t>(std::max<Index>(s, 1)), &n);
  }
  TMOR_CHECK_IO(fits && n <= cap, name, ": the shape ", shape, " of ", dtype_name(dtype),
                " takes more than the cap of ", cap, " bytes");
  return empty ? 0 : n;
}

namespace detail {

using tmor::detail::cat;
using tmor::detail::fail;

/// `v` as a `To`, for `Array::convert_to`: false when it does not fit.
template <class To, class From> bool convert_element(From v, To& out) {
  if constexpr (std::is_same_v<To, bool>) {
    out = static_cast<compute_t<From>>(v) != 0;
  } else if constexpr (std::is_integral_v<To> && is_floating<From>) {
    // 2^63 is exact in double, the largest int64 is not: hence the half-open upper bound.
    constexpr double lo = static_cast<double>(std::numeric_limits<To>::min());
    constexpr double hi = 2.0 * static_cast<double>(To{1} << (std::numeric_limits<To>::digits - 1));
    const double d = static_cast<double>(static_cast<compute_t<From>>(v));
    if (!is_finite(d) || d < lo || d >= hi) return false;
    out = static_cast<To>(d);
    return static_cast<double>(out) == d;
  } else if constexpr (std::is_integral_v<To>) {
    out = static_cast<To>(v);
    return static_cast<std::int64_t>(out) == static_cast<std::int64_t>(v);
  } else {
    out = static_cast<To>(static_cast<compute_t<To>>(static_cast<compute_t<From>>(v)));
  }
  return true;
}

}  // namespace detail

/// A typed, row-major block of elements that owns its 64-byte aligned memory. Moved, not copied (`clone()`).
class Array {
 public:
  /// Float32, shape (0,).
  Array() : Array(DType::f32, Shape{0}) {}
  /// All zero. @throws Error when the shape is negative or larger than memory can address.
  Array(DType dtype, const Shape& shape)
      : dtype_(dtype), shape_(shape), bytes_(checked_bytes(dtype, shape, "io::Array")) {
    data_.reset(static_cast<std::byte*>(::operator new(std::max<std::size_t>(bytes_, 1), kAlign)));
    std::memset(data_.get(), 0, bytes_);
  }
  /// A copy of `values`, row-major. @throws ShapeError unless there are as many as the shape has.
  template <class T> static Array of(const Shape& shape, std::initializer_list<T> values) {
    Array a(dtype_of<T>, shape);
    TMOR_CHECK_SHAPE(static_cast<Index>(values.size()) == a.numel(), "[io::Array::of] ", values.size(),
                     " values for the shape ", shape);
    std::copy(values.begin(), values.end(), a.as<T>().begin());
    return a;
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  Index numel() const { return static_cast<Index>(bytes_ / dtype_size(dtype_)); }
  std::size_t bytes() const { return bytes_; }
  const std::byte* data() const { return data_.get(); }
  std::byte* data() { return data_.get(); }

  /// The elements, when they are of type `T`. @throws Error naming both types otherwise.
  template <class T> std::span<const T> as() const {
    check_type(dtype_of<T>);
    return {reinterpret_cast<const T*>(data_.get()), static_cast<std::size_t>(numel())};
  }
  template <class T> std::span<T> as() {
    check_type(dtype_of<T>);
    return {reinterpret_cast<T*>(data_.get()), static_cast<std::size_t>(numel())};
  }

  Array clone() const {
    Array a(dtype_, shape_);
    std::memcpy(a.data(), data(), bytes_);
    return a;
  }
  /// The same elements under another shape. @throws ShapeError unless it has as many elements.
  Array reshaped(const Shape& shape) && {
    TMOR_CHECK_SHAPE(checked_bytes(dtype_, shape, "io::Array::reshaped") == bytes_, "[io::Array::reshaped] ",
                     shape_, " and ", shape, " have different numbers of elements");
    shape_ = shape;
    return std::move(*this);
  }

  /// Element by element: to a floating type rounded, to bool non-zero, to an integer type only exactly.
  /// @throws Error naming the first value that is not a whole number of the integer type's range.
  Array convert_to(DType to) const {
    Array out(to, shape_);
    const Index bad = visit_dtype(to, [&](auto t) {
      return visit_dtype(dtype_, [&](auto f) { return fill<decltype(t), decltype(f)>(out); });
    });
    if (bad >= 0) {
      const double value = visit_dtype(dtype_, [&](auto f) {
        using From = decltype(f);
        return static_cast<double>(static_cast<compute_t<From>>(as<From>()[static_cast<std::size_t>(bad)]));
      });
      detail::fail<Error>("[io::Array::convert_to] element ", bad, " is ", value, ", which ", dtype_name(to),
                          " cannot hold");
    }
    return out;
  }
  template <class T> Array convert_to() const { return convert_to(dtype_of<T>); }

 private:
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, kAlign); }
  };

  void check_type(DType wanted) const {
    TMOR_CHECK(wanted == dtype_, "[io::Array::as] the array holds ", dtype_name(dtype_), ", not ",
               dtype_name(wanted), ": use convert_to");
  }

  /// Converts all elements; returns the first that does not fit, or -1.
  template <class To, class From> Index fill(Array& out) const {
    const auto from = as<From>();
    const auto to = out.as<To>();
    for (std::size_t i = 0; i < from.size(); ++i)
      if (!detail::convert_element<To, From>(from[i], to[i])) return static_cast<Index>(i);
    return -1;
  }

  DType dtype_;
  Shape shape_;
  std::size_t bytes_;
  std::unique_ptr<std::byte[], Free> data_;
};

namespace detail {

/// Element types as files store them. Those that `DType` lacks are widened on reading.
enum class Stored : std::uint8_t { i8, u8, i16, u16, i32, u32, i64, u64, f16, f32, f64, boolean };

inline std::size_t stored_size(Stored s) {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 1};
  return sizes[static_cast<int>(s)];
}

/// The narrowest DType that holds every value; uint64 is checked against the largest int64 value by value.
inline DType widened(Stored s) {
  constexpr DType types[] = {DType::i32, DType::u8,  DType::i32, DType::i32, DType::i32, DType::i64,
                             DType::i64, DType::i64, DType::f16, DType::f32, DType::f64, DType::boolean};
  return types[static_cast<int>(s)];
}

template <class From, class To> void widen(const char* bytes, std::span<To> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    From v;
    std::memcpy(&v, bytes + i * sizeof(From), sizeof v);
    out[i] = static_cast<To>(v);
  }
}

inline void swap_bytes(std::byte* p, std::size_t count, std::size_t size) {
  for (std::size_t i = 0; i < count; ++i) std::reverse(p + i * size, p + (i + 1) * size);
}

/// `bytes` (exactly numel elements of `stored`) as an array of `widened(stored)`. `name` and `offset`, the
/// place of the bytes in the file, are named in errors.
inline Array load_elements(std::string_view bytes, Stored stored, bool big_endian, const Shape& shape,
                           std::string_view name, std::size_t offset) {
  const std::size_t size = stored_size(stored);
  const std::size_t count = checked_bytes(widened(stored), shape, name) / dtype_size(widened(stored));
  TMOR_CHECK_IO(bytes.size() % size == 0 && bytes.size() / size == count, name, ": byte ", offset, ": ",
                bytes.size(), " bytes of data where the shape ", shape, " takes ", count, " elements of ",
                size);
  Array out(widened(stored), shape);  // only now: no larger than the file allows
  std::string swapped;
  if (big_endian && size > 1) {
    swapped = bytes;
    swap_bytes(reinterpret_cast<std::byte*>(swapped.data()), count, size);
    bytes = swapped;
  }
  const char* p = bytes.data();
  switch (stored) {
    case Stored::i8:
      widen<std::int8_t>(p, out.as<std::int32_t>());
      break;
    case Stored::i16:
      widen<std::int16_t>(p, out.as<std::int32_t>());
      break;
    case Stored::u16:
      widen<std::uint16_t>(p, out.as<std::int32_t>());
      break;
    case Stored::u32:
      widen<std::uint32_t>(p, out.as<std::int64_t>());
      break;
    default:
      if (count) std::memcpy(out.data(), p, bytes.size());
  }
  if (stored == Stored::u64) {
    const auto v = out.as<std::int64_t>();
    const auto bad = std::find_if(v.begin(), v.end(), [](std::int64_t e) { return e < 0; });
    TMOR_CHECK_IO(bad == v.end(), name, ": byte ", offset, ": element ", bad - v.begin(),
                  " is an unsigned 64-bit value above the largest int64");
  }
  if (stored == Stored::boolean) {
    const auto bad = std::find_if(p, p + count, [](char c) { return c != 0 && c != 1; });
    TMOR_CHECK_IO(bad == p + count, name, ": byte ", offset + static_cast<std::size_t>(bad - p),
                  ": a boolean that is neither 0 nor 1");
  }
  return out;
}

/// Reorders elements that a file holds first index fastest (Fortran, MATLAB) to row-major; the shape stays.
inline Array from_column_major(Array a) {
  const Shape& shape = a.shape();
  const int rank = shape.rank();
  if (rank < 2 || a.numel() == 0) return a;
  Array out(a.dtype(), shape);
  const std::size_t size = dtype_size(a.dtype());
  Shape stride = Shape::filled(rank, 1), at = Shape::filled(rank, 0);
  for (int d = 1; d < rank; ++d) stride[d] = stride[d - 1] * shape[d - 1];
  Index from = 0;
  for (Index to = 0; to < a.numel(); ++to) {
    std::memcpy(out.data() + static_cast<std::size_t>(to) * size,
                a.data() + static_cast<std::size_t>(from) * size, size);
    for (int d = rank - 1; d >= 0; --d) {  // the next row-major index and its place in the source
      from += stride[d];
      if (++at[d] < shape[d]) break;
      from -= stride[d] * shape[d];
      at[d] = 0;
    }
  }
  return out;
}

}  // namespace detail

}  // namespace io
TMOR_END
