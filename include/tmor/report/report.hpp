#pragma once
/// @file report.hpp
/// All parts of a report.

#include "tmor/report/confusion.hpp"
#include "tmor/report/embedding_map.hpp"
#include "tmor/report/line_chart.hpp"
#include "tmor/report/page.hpp"
#include "tmor/report/ranked.hpp"
#include "tmor/report/run_log.hpp"
#include "tmor/report/skeleton_view.hpp"
#include "tmor/report/table.hpp"
#include "tmor/report/timeline.hpp"
#include "tmor/report/tsne.hpp"
