// The real skeletons: every clip is read, and the counts are those of the data set.
#include "tmor/data/nw_ucla.hpp"

#include <doctest/doctest.h>

#include <set>

#include "../support/files.hpp"

using namespace tmor;

TEST_CASE("real: NW-UCLA") {
  const auto root = test::real_data("nw_ucla");
  if (root.empty()) return;
  const auto d = data::read_nw_ucla(root);
  std::size_t test = 0, subject_10 = 0, missing = 0;
  Index shortest = 1000, longest = 0;
  std::set<int> labels, subjects;
  for (const auto& c : d.clips) {
    CAPTURE(c.id);
    CHECK_NOTHROW(c.skeleton.check(c.id));
    test += data::NwUclaSplit::cross_view().is_test(c);
    subject_10 += data::NwUclaSplit::cross_subject().is_test(c);
    missing += static_cast<std::size_t>(
        std::count(c.skeleton.valid.begin(), c.skeleton.valid.end(), std::uint8_t{kMissing}));
    labels.insert(c.label);
    subjects.insert(c.subject);
    shortest = std::min(shortest, c.skeleton.frames);
    longest = std::max(longest, c.skeleton.frames);
  }
  CHECK(d.clips.size() - test == 1020);  // complete; of the 464 of view 3 there are some
  CHECK(test >= 140);
  CHECK(subject_10 >= 110);
  CHECK(labels.size() == 10);
  CHECK(subjects.size() == 10);
  CHECK(missing >= 12);
  CHECK(shortest == 1);
  CHECK(longest == 201);
}
