#pragma once
/// @file timeline.hpp
/// What is done in an untrimmed sequence and when: what the readers of annotations return and the metrics of
/// detection compare with. Times keep the unit of the source (seconds, frames); a score of one unit against
/// another is the reader's mistake to prevent.

#include <string>
#include <vector>

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// An action from `start` to `end`, as annotated: it may end before it starts (then nothing is inside) or run
/// past the sequence's end.
struct ActionSpan {
  Index action = 0;
  double start = 0, end = 0;
};

/// A detected action and how sure the detector is of it.
struct ScoredSpan : ActionSpan {
  double score = 0;
};

/// One sequence and its actions, which may overlap.
struct Timeline {
  std::string id;
  double length = 0;  ///< > 0, in the unit of the spans
  std::vector<ActionSpan> spans;
};

TMOR_END
