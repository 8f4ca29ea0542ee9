#pragma once
/// @file update.hpp
/// One threaded, vectorised pass over the elements of many tensors at once: how optimiser steps, averages and
/// gradient norms run on the CPU. Chunks depend on the tensors' sizes alone, so the bits do not depend on the
/// number of threads.

#include <algorithm>
#include <vector>

#include "tmor/core/parallel.hpp"
#include "tmor/core/storage.hpp"
#include "tmor/cpu/lanes.hpp"

TMOR_BEGIN

/// The share of one tensor in a pass: `numel` elements of each of `K` arrays, and the rule for them.
template <class T, int K, class Rule> struct UpdatePart {
  Rule rule;
  T* data[K];
  Index numel;
};

namespace cpu {

/// Elements of a tensor that a thread takes at a time.
inline constexpr Index kUpdateGrain = 16384;

/// Calls `f(part, chunk, begin, end)` for every chunk of every part; `chunk` numbers them all, in order.
/// Returns how many there were.
template <class Part, class F> Index for_parts(const std::vector<Part>& parts, F&& f) {
  std::vector<Index> first{0};  // chunk of each part
  for (const Part& p : parts) first.push_back(first.back() + (p.numel + kUpdateGrain - 1) / kUpdateGrain);
  parallel_chunks(first.back(), 1, [&](Index chunk, Index, Index) {
    const auto i =
        static_cast<std::size_t>(std::upper_bound(first.begin(), first.end(), chunk) - first.begin() - 1);
    const Index begin = (chunk - first[i]) * kUpdateGrain;
    f(parts[i], chunk, begin, std::min(begin + kUpdateGrain, parts[i].numel));
  });
  return first.back();
}

}  // namespace cpu

/// Calls `rule(x)` on the elements of all parts, where `x[k]` is an element, or a vector of elements, of
/// `data[k]`; what it leaves in the first `Rule::writes` of them is stored.
template <class T, int K, class Rule> void run_update(Cpu, const std::vector<UpdatePart<T, K, Rule>>& parts) {
  cpu::for_parts(parts, [](const UpdatePart<T, K, Rule>& part, Index, Index begin, Index end) {
    using V = Pack<T>;
    const Rule rule = part.rule;
    T* at[K];
    for (int k = 0; k < K; ++k) at[k] = part.data[k] + begin;
    const Index n = end - begin, whole = n - n % V::size;
    V x[K];
    for (Index i = 0; i < whole; i += V::size) {
      for (int k = 0; k < K; ++k) x[k] = V::load(at[k] + i);
      rule(x);
      for (int k = 0; k < Rule::writes; ++k) x[k].store(at[k] + i);
    }
    if (const int rest = static_cast<int>(n - whole)) {
      for (int k = 0; k < K; ++k) x[k] = V::load_partial(at[k] + whole, rest);
      rule(x);
      for (int k = 0; k < Rule::writes; ++k) x[k].store_partial(at[k] + whole, rest);
    }
  });
}

/// A part that is only read.
template <class T> struct ReadPart {
  const T* data;
  Index numel;
};

/// Sum of the squares of all elements, in a fixed order: blocks of lanes in `T`, blocks added in double.
template <class T> double sum_of_squares(Cpu, const std::vector<ReadPart<T>>& parts) {
  constexpr Index kBlock = 4096;
  Index chunks = 0;
  for (const auto& p : parts) chunks += (p.numel + cpu::kUpdateGrain - 1) / cpu::kUpdateGrain;
  std::vector<double> sums(static_cast<std::size_t>(chunks));
  cpu::for_parts(parts, [&](const ReadPart<T>& part, Index chunk, Index begin, Index end) {
    using V = Pack<T>;
    double sum = 0;
    for (Index b = begin; b < end; b += kBlock) {
      const Index stop = std::min(b + kBlock, end);
      V s[4] = {V(T(0)), V(T(0)), V(T(0)), V(T(0))};
      Index i = b;
      for (; i + 4 * V::size <= stop; i += 4 * V::size)
        for (int k = 0; k < 4; ++k) {
          const V x = V::load(part.data + i + k * V::size);
          s[k] += x * x;
        }
      for (; i < stop; i += V::size) {
        const V x = V::load_partial(part.data + i, static_cast<int>(std::min<Index>(V::size, stop - i)));
        s[0] += x * x;
      }
      sum += static_cast<double>(hsum((s[0] + s[1]) + (s[2] + s[3])));
    }
    sums[static_cast<std::size_t>(chunk)] = sum;
  });
  double total = 0;
  for (double s : sums) total += s;
  return total;
}

TMOR_END
