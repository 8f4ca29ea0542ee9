// Moving skeletons, and the page that holds everything.
#include <doctest/doctest.h>

#include <limits>

#include "../support/files.hpp"
#include "../support/markup.hpp"
#include "tmor/report/page.hpp"
#include "tmor/report/skeleton_view.hpp"

using namespace tmor;
using namespace tmor::report;
using test::contains;
using test::count;
using test::markup_error;
using test::message;

namespace {

const std::string kEvil = "</script><b a='\"&\xff";

SkeletonSequence standing(const char* layout, Index frames, Index channels) {
  auto s = SkeletonSequence::make(joint_layout(layout), 1, frames, channels);
  for (Index t = 0; t < frames; ++t)
    for (Index v = 0; v < s.joints; ++v) {
      for (Index c = 0; c < channels; ++c) s.point(0, t, v)[c] = static_cast<float>(v * (c + 1) + t);
      *s.state(0, t, v) = kObserved;
    }
  return s;
}

io::Json data_of(const std::string& figure) {
  const std::string begin = "<script type=\"application/json\">";
  const std::size_t at = figure.find(begin) + begin.size();
  return io::parse_json(std::string_view(figure).substr(at, figure.find("</script>", at) - at), "figure");
}

}  // namespace

TEST_CASE("a skeleton in every layout, flat and deep, becomes one connected figure") {
  for (const auto& name : layout_names())
    for (const Index channels : {2, 3}) {
      CAPTURE(name);
      const auto s = standing(name.c_str(), 3, channels);
      const auto poses = report::detail::make_poses(s, Up::kAuto);
      std::vector<Index> reached(static_cast<std::size_t>(poses.joints), -1);
      for (std::size_t i = 0; i < reached.size(); ++i) reached[i] = static_cast<Index>(i);
      const auto find = [&](Index j) {
        while (reached[static_cast<std::size_t>(j)] != j) j = reached[static_cast<std::size_t>(j)];
        return j;
      };
      for (const auto& b : poses.bones) reached[static_cast<std::size_t>(find(b[0]))] = find(b[1]);
      for (const auto& b : poses.bones) CHECK(find(b[0]) == find(poses.bones[0][0]));
      CHECK(find(s.layout->at("left_wrist")) == find(s.layout->at("right_ankle")));
      const std::string html = skeleton_view({.title = kEvil, .skeleton = s}).text;
      CHECK(markup_error(html) == "");
      CHECK(data_of(html)["points"].size() == static_cast<std::size_t>(3 * poses.joints * channels));
    }
}

TEST_CASE("what is up, and what is missing") {
  auto s = standing("coco17", 1, 3);
  const Index wrist = s.layout->at("left_wrist"), nose = s.layout->at("nose");
  const auto height = [&](Up up) {
    const auto p = report::detail::make_poses(s, up);
    return p.at[p.place(0, 0, wrist)][1] - p.at[p.place(0, 0, nose)][1];
  };
  CHECK(height(Up::kAuto) > 0);
  CHECK(height(Up::kMinusY) < 0);
  CHECK(height(Up::kPlusZ) > 0);
  const std::string whole = skeleton_view({.skeleton = s}).text;
  *s.state(0, 0, wrist) = kMissing;
  s.zero_missing_();
  const std::string part = skeleton_view({.skeleton = s}).text;
  CHECK(contains(part, "null,null,null"));
  CHECK_FALSE(contains(whole, "null"));
  CHECK(count(part, "L") < count(whole, "L"));
  std::fill(s.valid.begin(), s.valid.end(), std::uint8_t{kMissing});
  s.zero_missing_();
  CHECK(markup_error(skeleton_view({.skeleton = s}).text) == "");
  s.xyz[0] = 1;  // missing, yet not zero
  CHECK_THROWS_AS(skeleton_view({.skeleton = s}), Error);
}

TEST_CASE("a long clip is thinned; frames, caption and predictions stand beside it") {
  SkeletonClip clip{.title = "t", .caption = kEvil, .truth = "run", .skeleton = standing("penn13", 1000, 2)};
  clip.skeleton.fps = 50;
  clip.frames.assign(40, {"x", "image/jpeg", kEvil});
  clip.predictions = {{"run", 0.9, true}};
  const std::string s = skeleton_view(clip).text;
  CHECK(markup_error(s) == "");
  CHECK(count(s, "<img") == 1 + kMaxFilm);
  CHECK(count(s, "class=\"pose\"") == 7);
  const auto data = data_of(s);
  CHECK(data["moments"] == kMaxMoments);
  CHECK(data["fps"].get<double>() == doctest::Approx(4.5));  // 20 seconds as before
  CHECK(contains(skeleton_view({.title = "none"}).text, "no skeleton"));
}

TEST_CASE("the page: sections in the navigation, nothing fetched, nothing unescaped") {
  Page page({.title = kEvil,
             .lead = kEvil,
             .headlines = {{kEvil, "1 %", "chance"}},
             .facts = {{"Command", kEvil}}});
  page.section(kEvil, kEvil, paragraph(kEvil)).section("two", "", beside({paragraph("a"), paragraph("b")}));
  page.section("empty", "", {});
  const std::string s = page.html();
  CHECK(markup_error(s) == "");
  CHECK(contains(s, "<a href=\"#s2\">two</a>"));
  CHECK(contains(s, "nothing to show"));
  CHECK_FALSE(contains(s, "<b a="));
  CHECK(count(s, "</script>") == 1);
  CHECK(count(s, "http") == 2);  // http-equiv, and the name space of SVG in the script
  CHECK(contains(s, "http://www.w3.org/2000/svg"));
  CHECK(contains(s, "default-src 'none'"));
}

TEST_CASE("the page is written whole, and not beyond its size") {
  const test::TempDir dir;
  Page page({.title = "t"});
  page.write(dir / "report.html");
  CHECK(io::read_file(dir / "report.html") == page.html());
  page.section("huge", "", {std::string(kMaxPageBytes, ' ')});
  CHECK(contains(message<Error>([&] { page.write(dir / "report.html"); }), "'huge'"));
  CHECK(io::read_file(dir / "report.html").size() < 100000);
  CHECK(contains(message<IoError>([] { Page({.title = "t"}).write("/nowhere/report.html"); }), "/nowhere"));
}
