// The figures of a report: well-formed whatever they are given, and saying what they should.
#include <doctest/doctest.h>

#include <limits>

#include "../support/files.hpp"
#include "../support/markup.hpp"
#include "tmor/report/confusion.hpp"
#include "tmor/report/embedding_map.hpp"
#include "tmor/report/line_chart.hpp"
#include "tmor/report/ranked.hpp"
#include "tmor/report/table.hpp"
#include "tmor/report/timeline.hpp"

using namespace tmor;
using namespace tmor::report;
using test::contains;
using test::count;
using test::markup_error;
using test::message;

namespace {
const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();
const std::string kEvil = "</script><b a='\"&\xff";
}  // namespace

TEST_CASE("the markup checker finds what it is for") {
  CHECK(markup_error("<p>a<br>b</p><svg><path d=\"M0 1\"/></svg>") == "");
  for (const char* bad :
       {"<p>", "</p>", "<p></b>", "<p a=\"<\"></p>", "<p a=\"1\" a=\"2\"></p>", "<path d=\"MNaN 1\"/>",
        "<rect x=\"inf\"/>", "a & b", "<script>1</script><img src=\"http://x/y\">"})
    CHECK(markup_error(bad) != "");
}

TEST_CASE("a line chart draws every series, with gaps where there is no value") {
  LineChart chart{.title = kEvil, .note = "note", .x = {.label = "step"}, .y = {.label = kEvil}};
  chart.series = {{kEvil, {1, 2, 3, 4}, {1, kNan, 3, 4}}, {"b", {4, 1, kNan}, {2, kInfinity, 1}}};
  const std::string s = line_chart(chart).text;
  CHECK(markup_error(s) == "");
  CHECK(contains(s, "Not drawn: 1 value of &lt;/script&gt;"));
  CHECK(contains(s, "2 values of b (not finite)."));
  CHECK(count(s, "class=\"curve\" d=\"M") == 4);  // two in the legend
  CHECK(count(s, "M54 ") >= 1);  // the first point is alone before the gap: drawn all the same
}

TEST_CASE("on a logarithmic axis what is not positive is a gap") {
  const LineChart chart{
      .x = {.log = true}, .y = {.log = true}, .series = {{"a", {0, 1, 10, 100}, {1, 0.1, -1, 10}}}};
  const std::string s = line_chart(chart).text;
  CHECK(markup_error(s) == "");
  CHECK(contains(s, "2 values of a (not finite, or not positive)."));
}

TEST_CASE("long curves are thinned without losing a spike or a failure") {
  Series a{"a", {}, {}};
  for (int i = 0; i < 100000; ++i) a.x.push_back(i), a.y.push_back(i == 54321 ? 99 : i == 7000 ? kNan : 1);
  const auto kept = report::detail::thin_out(a, false);
  CHECK(kept.size() <= 2 * kMaxPoints);
  CHECK(std::is_sorted(kept.begin(), kept.end()));
  CHECK(std::count(kept.begin(), kept.end(), 54321u) == 1);
  CHECK(std::count(kept.begin(), kept.end(), 7000u) == 1);
  CHECK(line_chart({.series = {a}}).text.size() < 60000);
}

TEST_CASE("error bars, smoothing, charts without anything to draw") {
  LineChart few{.x = {.log = true, .ticks = {1, 2, 4}}, .y = {.percent = true}, .points = true};
  few.series = {{"a", {1, 2, 4}, {.2, .3, .5}, {.05, kNan, .6}}, {"b", {1, 2, 4}, {.1, .2, .3}, {0, .1, .1}}};
  const std::string s = line_chart(few).text;
  CHECK(markup_error(s) == "");
  CHECK(count(s, "class=\"bar\"") == 2);
  CHECK(contains(s, "[1.0,0.2,0.05]"));

  const Series flat = report::detail::smoothed({"a", {1, 2, 3}, {4, kNan, 4}}, 0.9, false);
  CHECK(flat.y[0] == doctest::Approx(4));
  CHECK(flat.y[2] == doctest::Approx(4));

  CHECK(contains(line_chart({.title = "t"}).text, "no values to draw"));
  CHECK(contains(line_chart({.series = {{"a", {1, 2}, {kNan, kNan}}}}).text, "no values to draw"));
  CHECK(markup_error(line_chart({.series = {{"a", {1}, {0}}}}).text) == "");
  CHECK(contains(message<ShapeError>([] { line_chart({.series = {{"lossy", {1, 2}, {1}}}}); }), "lossy"));
}

TEST_CASE("a confusion matrix counts rows, and lists the mistakes") {
  const Confusion c{.title = "t", .labels = {"run", kEvil, "sit"}, .counts = {8, 2, 0, 1, 3, 0, 0, 0, 0}};
  const std::string s = confusion_matrix(c).text;
  CHECK(markup_error(s) == "");
  CHECK(contains(s, "11 of 14 right (78.6 %)"));
  CHECK(contains(s, "run recognised as such: 8 of 10 (80.0 %)"));
  CHECK(contains(s, ": 2 of 10 (20.0 %)"));
  CHECK(s.find("2 of 10</span>") < s.find("1 of 4</span>"));
  CHECK(count(s, "<rect class=\"hit\"") == 2);
  CHECK(count(s, "<rect class=\"miss\"") == 2);

  Confusion many{.labels = std::vector<std::string>(30, "a label that is much too long"),
                 .counts = std::vector<Index>(900, 1)};
  CHECK(markup_error(confusion_matrix(many).text) == "");
  many = {.labels = std::vector<std::string>(200, "x"), .counts = std::vector<Index>(40000, 1)};
  CHECK(contains(confusion_matrix(many).text, "too many to draw"));
  CHECK(contains(confusion_matrix({.labels = {"a"}, .counts = {0}}).text, "no samples"));
  CHECK(contains(confusion_matrix({}).text, "no samples"));
  CHECK_THROWS_AS(confusion_matrix({.labels = {"a"}, .counts = {1, 2}}), ShapeError);
  CHECK_THROWS_AS(confusion_matrix({.labels = {"a"}, .counts = {-1}}), Error);
}

TEST_CASE("a table marks the best of a column and says why something is missing") {
  Table t{.title = "t", .protocol = "how", .seeds = "5 seeds"};
  t.columns = {{.name = "top-1", .chance = 0.25},
               {.name = "rank", .percent = false, .higher_is_better = false}};
  t.rows = {{"a", {{0.5, 0.01}, 3.0}},
            {kEvil, {0.7004, 2.0}},
            {"c", {0.7001, Cell::missing("no tower")}},
            {"d", {kNan, Cell::missing("")}}};
  const std::string s = table(t).text;
  CHECK(markup_error(s) == "");
  CHECK(contains(s, "<td>50.0 <small>± 1.0</small></td>"));
  CHECK(count(s, "<b>70.0</b>") == 2);  // equal as shown: both are marked
  CHECK(contains(s, "<b>2.00</b>"));
  CHECK(contains(s, "title=\"no tower\">–<sup>1</sup>"));
  CHECK(contains(s, "<sup>2</sup> not a finite number"));
  CHECK(contains(s, "<sup>3</sup> not measured"));
  CHECK(contains(s, "Chance</th><td>25.0</td><td></td>"));
  CHECK_FALSE(contains(s, "card full"));
  const Table wide{.columns = std::vector<Column>(4), .rows = {{"a", {1.0, 2.0, 3.0, 4.0}}}};
  CHECK(contains(table(wide).text, "card full"));  // the whole width, also beside other figures
  CHECK(contains(table({}).text, "no results"));
  for (auto& c : t.columns) c.marked = false;
  CHECK(count(table(t).text, "<b>") == 0);
  t.rows[0].cells.pop_back();
  CHECK(contains(message<ShapeError>([&] { table(t); }), "'a'"));
}

TEST_CASE("ranked answers with scores and signs") {
  const Picture frame{"x", "image/png", kEvil};
  const std::string s = ranked({{.query = kEvil,
                                 .truth = "run",
                                 .frames = {frame},
                                 .hits = {{"sit", 0.5}, {kEvil, kNan, true, {frame}}, {"c", -1}}},
                                {.query = "nothing"}})
                            .text;
  CHECK(markup_error(s) == "");
  CHECK(count(s, "aria-label=\"wrong\"") == 2);
  CHECK(count(s, "aria-label=\"right\"") == 1);
  CHECK(contains(s, ">0.500<"));
  CHECK(contains(s, "Nothing was found"));
  CHECK(contains(ranked({}).text, "no examples"));
}

TEST_CASE("a timeline keeps to the length of the clip") {
  Timeline t{.title = "t", .seconds = 10};
  t.rows = {{"wave",
             {{1, 3}, {-5, -1}, {9, 99}, {kNan, 2}},
             {{0.5, 2.5}},
             {0, 1, 1, 2, std::numeric_limits<float>::quiet_NaN()}}};
  t.rows.push_back({.action = kEvil, .scores = std::vector<float>(10000, 0.5f)});
  const std::string s = timeline(t).text;
  CHECK(markup_error(s) == "");
  CHECK(contains(s, "class=\"truth\" x=\"100.0\" width=\"200.0\""));
  CHECK(contains(s, "class=\"truth\" x=\"900.0\" width=\"100.0\""));
  CHECK(count(s, "<rect class=\"truth\"") == 2);
  CHECK(count(s, "<rect class=\"predicted\"") == 1);
  CHECK(count(s, "<rect class=\"shade\"") == 2);  // equal neighbours are one
  CHECK(contains(timeline({.seconds = 5}).text, "no actions"));
  CHECK(contains(timeline({.seconds = kNan, .rows = t.rows}).text, "no actions"));
}

TEST_CASE("a map shows clips and texts, each action in its own group") {
  EmbeddingMap m{.title = "t", .actions = {"run", kEvil, "unused"}};
  m.items = {{0, 0, 0, "clip 1"}, {1, 2, 1, kEvil, true}, {1, 2, 1, "twin", true}, {kNan, 0, 0}, {3, 1, 0}};
  const std::string s = embedding_map(m).text;
  CHECK(markup_error(s) == "");
  CHECK(count(s, "class=\"star\"") == 2);
  CHECK(count(s, "<button") == 2);
  CHECK(contains(s, "1 not drawn"));
  CHECK(contains(s, "<title>run: clip 1</title>"));
  m.items = {{5, 5, 0}};
  CHECK(markup_error(embedding_map(m).text) == "");
  CHECK(contains(embedding_map({}).text, "no embeddings"));
  m.items[0].action = 3;
  CHECK_THROWS_AS(embedding_map(m), Error);
}
