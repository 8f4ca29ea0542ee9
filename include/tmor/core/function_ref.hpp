#pragma once
/// @file function_ref.hpp
/// `FunctionRef<R(A...)>`: a callable without its type, not owned, or none. What takes one is compiled once
/// for all callables.

#include <memory>
#include <type_traits>
#include <utility>

#include "tmor/core/config.hpp"

TMOR_BEGIN

template <class Signature> class FunctionRef;

template <class R, class... A> class FunctionRef<R(A...)> {
 public:
  FunctionRef() = default;  ///< none
  /// Refers to `f`, which must outlive every call.
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> && std::is_invocable_r_v<R, const F&, A...>)
      FunctionRef(const F& f)  // NOLINT: implicit on purpose
      : object_(std::addressof(f)), call_([](const void* object, A... a) -> R {
          return (*static_cast<const F*>(object))(std::forward<A>(a)...);
        }) {}

  explicit operator bool() const { return call_ != nullptr; }
  R operator()(A... a) const { return call_(object_, std::forward<A>(a)...); }

 private:
  const void* object_ = nullptr;
  R (*call_)(const void*, A...) = nullptr;
};

TMOR_END
