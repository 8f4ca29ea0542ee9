#pragma once
/// @file flops.hpp
/// Counts the floating-point operations of products and convolutions, by asking: they report themselves to
/// the counter of their thread, if it has one.

#include "tmor/core/config.hpp"

TMOR_BEGIN

class FlopCounter;

namespace detail {
inline FlopCounter*& flop_counter() {
  thread_local FlopCounter* counter = nullptr;
  return counter;
}
}  // namespace detail

/// While it lives, counts what the operations called from this thread do; an outer counter sees it too.
/// A multiplication and its addition are two operations.
class FlopCounter {
 public:
  FlopCounter() : outer_(detail::flop_counter()) { detail::flop_counter() = this; }
  ~FlopCounter() {
    detail::flop_counter() = outer_;
    if (outer_) outer_->count_ += count_;
  }
  FlopCounter(const FlopCounter&) = delete;
  FlopCounter& operator=(const FlopCounter&) = delete;

  Index count() const { return count_; }
  void add(Index n) { count_ += n; }

 private:
  FlopCounter* outer_;
  Index count_ = 0;
};

namespace detail {
/// Called once by each product and convolution, forward and backward, with 2 m n k.
inline void count_flops(Index n) {
  if (FlopCounter* c = flop_counter()) c->add(n);
}
}  // namespace detail

TMOR_END
