#pragma once
/// @file uav_human.hpp
/// UAV-Human (Li et al., CVPR 2021): 155 actions, 119 subjects, 17 COCO joints in the NTU text format
/// (data/ntu_skeleton.hpp). What a file name says, and the two cross-subject splits.

#include <array>

#include "tmor/data/class_names.hpp"
#include "tmor/data/ntu_skeleton.hpp"

TMOR_BEGIN
namespace data {

inline constexpr Index kUavHumanClasses = 155, kUavHumanSubjects = 119;

/// What `P000S00G10B10H10UC022000LC021000A000R0_08241716` says.
struct UavHumanClip {
  std::string id;  ///< without a file ending
  int subject = 0, label = 0, repetition = 0;
};

/// `name` may end in ".txt". @throws IoError beginning with `where` for a name of another form, a subject or
/// class that there is not.
inline UavHumanClip parse_uav_human_name(std::string_view name, std::string_view where) {
  if (name.ends_with(".txt")) name.remove_suffix(4);
  UavHumanClip c;
  c.id = name;
  struct Field {
    std::string_view letters;
    std::size_t digits;
    int* to;
  };
  const std::array<Field, 9> fields{{{"P", 3, &c.subject},
                                     {"S", 2, nullptr},
                                     {"G", 2, nullptr},
                                     {"B", 2, nullptr},
                                     {"H", 2, nullptr},
                                     {"UC", 6, nullptr},
                                     {"LC", 6, nullptr},
                                     {"A", 3, &c.label},
                                     {"R", 1, &c.repetition}}};
  std::string_view rest = name;
  for (const Field& f : fields) {
    TMOR_CHECK_IO(rest.starts_with(f.letters) && rest.size() >= f.letters.size() + f.digits, where,
                  ": the name '", name.substr(0, 80),
                  "' is not of the form P000S00G00B00H00UC000000LC000000A000R0_...");
    const auto digits = rest.substr(f.letters.size(), f.digits);
    const auto number =
        static_cast<int>(io::parse_integer(digits, 0, 999'999, "a number of the name", where));
    if (f.to) *f.to = number;
    rest.remove_prefix(f.letters.size() + f.digits);
  }
  TMOR_CHECK_IO(rest.starts_with("_"), where, ": the name '", name.substr(0, 80), "' has no '_' behind R");
  TMOR_CHECK_IO(c.subject < kUavHumanSubjects && c.label < kUavHumanClasses, where, ": subject ", c.subject,
                ", class ", c.label, ": want below 119 and 155");
  return c;
}

enum class UavHumanSplit { kV1, kV2 };

/// The 30 subjects that test; the other 89 train.
inline const std::array<int, 30>& uav_human_test_subjects(UavHumanSplit s) {
  static constexpr std::array<int, 30> v1{1,  3,  4,  9,  22, 23, 24, 31, 41, 54,  58,  60,  66,  72,  74,
                                          75, 91, 92, 93, 94, 95, 96, 97, 99, 101, 104, 107, 108, 109, 113};
  static constexpr std::array<int, 30> v2{1,  2,  7,  9,  13, 15, 17, 23, 25, 27, 28, 33, 34, 41,  42,
                                          48, 50, 51, 53, 55, 58, 65, 68, 76, 82, 85, 90, 98, 105, 116};
  return s == UavHumanSplit::kV1 ? v1 : v2;
}
inline bool uav_human_tests(int subject, UavHumanSplit s) {
  const auto& test = uav_human_test_subjects(s);
  return std::find(test.begin(), test.end(), subject) != test.end();
}

/// One clip: layout coco17, x and y in pixels, the two bodies with the most motion of at most four.
/// @throws IoError
inline SkeletonSequence read_uav_human_skeleton(const std::string& path) {
  return read_ntu_skeleton(path, joint_layout("coco17"), {.channels = 2});
}

}  // namespace data
TMOR_END
