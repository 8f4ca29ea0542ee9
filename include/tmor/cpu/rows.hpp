#pragma once
/// @file rows.hpp
/// How row bodies (core/team.hpp, core/rows) run on the CPU: rows dealt out to the threads in chunks that
/// depend on the shape alone.

#include "tmor/core/parallel.hpp"
#include "tmor/core/storage.hpp"
#include "tmor/core/team.hpp"

TMOR_BEGIN

/// body(team, row) for every row; `cols` is the length of a row, to judge the work by.
template <class Body> void run_rows(Cpu, Index rows, Index cols, const Body& body) {
  constexpr Index kElements = 16384;
  const Index grain = cols >= kElements ? 1 : kElements / (cols > 0 ? cols : 1);
  parallel_for(rows, grain, [&](Index begin, Index end) {
    const HostTeam<typename Body::Compute> team;
    for (Index row = begin; row < end; ++row) body(team, row);
  });
}

/// body(team, chunk, begin, end) for every chunk of rows. A lane meets the same columns in every `each` of a
/// chunk.
template <class Body> void run_row_chunks(Cpu, const RowChunks& chunks, const Body& body) {
  parallel_chunks(chunks.rows, chunks.grain, [&](Index chunk, Index begin, Index end) {
    body(HostTeam<typename Body::Compute>{}, chunk, begin, end);
  });
}

TMOR_END
