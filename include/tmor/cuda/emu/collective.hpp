#pragma once
/// @file collective.hpp
/// What threads of the emulated CUDA device do together: barriers, shuffles, votes, matches, reductions of a
/// warp, products and loads of matrices. A thread's part in one is a `Wait`; once all whom it concerns have
/// theirs, `lane_result` says what each gets.

#include <string>
#include <string_view>

#include "tmor/core/error.hpp"

TMOR_BEGIN
namespace emu {

/// What threads can wait for together.
enum class Op {
  none,
  syncthreads,
  syncwarp,
  any,
  all,
  ballot,
  shfl,
  shfl_up,
  shfl_down,
  shfl_xor,
  match_any,
  match_all,
  reduce_add,
  reduce_min,
  reduce_max,
  reduce_and,
  reduce_or,
  reduce_xor,
  mma,
  ldmatrix
};
inline constexpr std::size_t kOps = static_cast<std::size_t>(Op::ldmatrix) + 1;
constexpr const char* op_name(Op op) {
  constexpr const char* names[] = {"nothing",
                                   "__syncthreads",
                                   "__syncwarp",
                                   "__any_sync",
                                   "__all_sync",
                                   "__ballot_sync",
                                   "__shfl_sync",
                                   "__shfl_up_sync",
                                   "__shfl_down_sync",
                                   "__shfl_xor_sync",
                                   "__match_any_sync",
                                   "__match_all_sync",
                                   "__reduce_add_sync",
                                   "__reduce_min_sync",
                                   "__reduce_max_sync",
                                   "__reduce_and_sync",
                                   "__reduce_or_sync",
                                   "__reduce_xor_sync",
                                   "mma",
                                   "ldmatrix"};
  return names[static_cast<int>(op)];
}

/// A line of a kernel.
struct Place {
  const char* file = "";
  int line = 0;
  bool operator==(const Place& o) const { return line == o.line && __builtin_strcmp(file, o.file) == 0; }
};

/// A thread's part in a collective operation.
struct Wait {
  Op op = Op::none;
  unsigned mask = 0;
  std::uint64_t value = 0;
  int argument = 0, width = 32;
  bool is_signed = false;
  Place at;
  std::uint64_t result = 0;
  /// What has to be done once, with the parts of all 32 lanes, before they go on.
  void (*together)(const Wait* const* lanes) = nullptr;
};

/// "__syncthreads at a.cpp:35".
inline std::string site(const Wait& w) {
  std::string_view file = w.at.file;
  file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is 0
  return tmor::detail::cat(op_name(w.op), " at ", file, ":", w.at.line);
}

/// The lane whose value a shuffle gives to `lane`; of other operations, itself.
inline unsigned source_lane(const Wait& w, unsigned lane) {
  const int at = static_cast<int>(lane), base = at / w.width * w.width, end = base + w.width;
  int from = at;
  if (w.op == Op::shfl) from = base + (w.argument & (w.width - 1));
  if (w.op == Op::shfl_up && at - w.argument >= base) from = at - w.argument;
  if (w.op == Op::shfl_down && at + w.argument < end) from = at + w.argument;
  if (w.op == Op::shfl_xor && (at ^ w.argument) < end) from = at ^ w.argument;
  return static_cast<unsigned>(from);
}

/// What `lane` gets; wait(i) is the part of lane `i` of its mask.
template <class WaitOf> std::uint64_t lane_result(unsigned lane, const WaitOf& wait) {
  const Wait& w = wait(lane);
  const auto fold = [&](std::uint64_t start, auto f) {
    for (unsigned i = 0; i < 32; ++i)
      if (w.mask >> i & 1) start = f(start, wait(i).value, i);
    return start;
  };
  const auto more = [&](std::uint64_t a, std::uint64_t b) {
    return w.is_signed ? static_cast<std::int32_t>(a) > static_cast<std::int32_t>(b) : a > b;
  };
  const std::uint64_t mine = w.value;
  switch (w.op) {
    case Op::shfl:
    case Op::shfl_up:
    case Op::shfl_down:
    case Op::shfl_xor:
      return wait(source_lane(w, lane)).value;
    case Op::any:
      return fold(0, [](auto s, auto v, unsigned) { return s | static_cast<std::uint64_t>(v != 0); });
    case Op::all:
      return fold(1, [](auto s, auto v, unsigned) { return s & static_cast<std::uint64_t>(v != 0); });
    case Op::ballot:
      return fold(0, [](auto s, auto v, unsigned i) { return s | static_cast<std::uint64_t>(v != 0) << i; });
    case Op::match_any:
      return fold(
          0, [mine](auto s, auto v, unsigned i) { return s | static_cast<std::uint64_t>(v == mine) << i; });
    case Op::match_all:
      return fold(1, [mine](auto s, auto v, unsigned) { return s & static_cast<std::uint64_t>(v == mine); });
    case Op::reduce_add:
      return fold(0, [](auto s, auto v, unsigned) { return s + v; });
    case Op::reduce_min:
      return fold(mine, [&](auto s, auto v, unsigned) { return more(s, v) ? v : s; });
    case Op::reduce_max:
      return fold(mine, [&](auto s, auto v, unsigned) { return more(v, s) ? v : s; });
    case Op::reduce_and:
      return fold(~std::uint64_t{0}, [](auto s, auto v, unsigned) { return s & v; });
    case Op::reduce_or:
      return fold(0, [](auto s, auto v, unsigned) { return s | v; });
    case Op::reduce_xor:
      return fold(0, [](auto s, auto v, unsigned) { return s ^ v; });
    default:
      return 0;
  }
}

}  // namespace emu
TMOR_END
