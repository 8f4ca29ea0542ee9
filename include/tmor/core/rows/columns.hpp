#pragma once
/// @file columns.hpp
/// The last step of a sum over rows: what each chunk of rows (RowChunks) has added up, added up in order.

#include "tmor/core/team.hpp"

TMOR_BEGIN
namespace rows {

/// out[j] = sum over chunks of parts[chunk * stride + j]; run on one row of as many columns as wanted.
template <class C> struct SumChunks {
  using Compute = C;
  const C* parts;
  Index count, stride, cols;
  C* out;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    team.each(cols, [&](auto at) {
      V s(C(0));
      for (Index c = 0; c < count; ++c) s += at.load(parts + c * stride);
      at.store(out, s);
    });
  }
};

}  // namespace rows
TMOR_END
