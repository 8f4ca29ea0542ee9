// Pickles of plain data and arrays; PySKL's files; what is refused.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"
#include "tmor/data/pyskl.hpp"

using namespace tmor;
using namespace std::string_view_literals;
using test::contains;
using test::golden;
using test::message;
using Kind = io::PickleValue::Kind;

namespace {

std::string refused(std::string_view bytes, io::PickleOptions o = {}) {
  return message<IoError>([&] { io::Pickle(bytes, "f", o); });
}

}  // namespace

TEST_CASE("every protocol gives the same clips and splits") {
  for (const char* name : {"pyskl_2.pkl", "pyskl_3.pkl", "pyskl_4.pkl", "pyskl_5.pkl"}) {
    CAPTURE(name);
    const auto d = data::read_pyskl(golden("pickle/" + std::string(name)));
    REQUIRE(d.size() == 3);
    CHECK(d.splits.at("train") == std::vector<std::string>{"a"});
    CHECK(d.splits.at("val") == std::vector<std::string>{"c"});
    const auto a = d.clip(0), b = d.clip(1);
    CHECK(a.id == "a");
    CHECK(a.label == 3);
    CHECK(a.skeleton.layout->name == "coco17");
    CHECK(a.skeleton.persons == 2);
    CHECK(a.skeleton.width == 640);
    CHECK(a.skeleton.point(1, 2, 16)[1] == 203 % 50);
    CHECK(*a.skeleton.state(0, 0, 5) == kMissing);  // a score of 0
    CHECK(*a.skeleton.state(0, 0, 6) == kObserved);
    CHECK(b.label == 1);
    CHECK(b.skeleton.layout->name == "ntu25");
    CHECK(b.skeleton.point(0, 0, 1)[2] == 5);
  }
}

TEST_CASE("kinds of values and elements") {
  const auto p = io::read_pickle(golden("pickle/types.pkl"));
  for (const char* type :
       {"i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">f4", ">i2", "fortran"}) {
    CAPTURE(type);
    const auto* v = p.root().find(type);
    REQUIRE(v);
    CHECK(v->array.shape() == Shape{2, 3});
    const auto as_double = v->array.convert_to<double>();
    for (std::size_t i = 0; i < 6; ++i) CHECK(as_double.as<double>()[i] == double(i));
  }
  CHECK(p.root().find("bool")->array.as<bool>()[1]);
  CHECK(p.root().find("scalar")->number == 1.5);
  const auto& plain = p.root().find("plain")->items;
  REQUIRE(plain.size() == 11);
  CHECK(plain[0]->kind == Kind::none);
  CHECK(plain[1]->kind == Kind::boolean);
  CHECK(plain[2]->integer == -5);
  CHECK(plain[3]->integer == std::int64_t{1} << 40);
  CHECK(plain[4]->integer == -(std::int64_t{1} << 62));
  CHECK(plain[5]->number == 0.5);
  CHECK(plain[6]->text == "é");
  CHECK(plain[7]->text == "\xff\0"sv);
  CHECK(plain[10]->items.size() == 4);
}

TEST_CASE("functions, objects and hostile sizes are refused by name") {
  CHECK(contains(message<IoError>([] { io::read_pickle(golden("pickle/calls.pkl")); }),
                 "asks for 'posix.system'"));
  CHECK(contains(message<IoError>([] { io::read_pickle(golden("pickle/objects.pkl")); }),
                 "of objects, which are not read"));
  CHECK(contains(refused("\x80\x02"
                         "cbuiltins\neval\n."sv),
                 "asks for 'builtins.eval'"));
  CHECK(contains(refused("\x80\x02"
                         "cnumpy\nndarray\n."sv),
                 "a name where data are expected"));
  CHECK(contains(refused("I1\n."sv), "opcode 0x49"));
  CHECK(contains(refused("\x80\x06."sv), "protocol 6"));
  CHECK(contains(refused("\x80\x02]"sv), "cut short"));
  CHECK(contains(refused("\x80\x02X\xff\xff\xff\xff."sv), "4294967295 bytes wanted"));
  CHECK(contains(refused("\x80\x02."sv), "ends with 0 values"));
  CHECK(contains(refused("\x80\x02"
                         "a."sv),
                 "empty stack"));
  CHECK(contains(refused("\x80\x02h\x01."sv), "never remembered"));
  CHECK(contains(refused("\x80\x02]q\x01h\x01"
                         "a."sv),
                 "or in themselves"));
  CHECK(contains(refused("\x80\x02NNNN."sv, {.max_values = 3}), "more than 3 values"));
  std::string doubling = "\x80\x02]";  // each list holds the one before twice: few bytes, 2^40 values
  for (int i = 0; i < 40; ++i)
    doubling += std::string("q") + char(i) + "0]h" + char(i) + "ah" + char(i) + "a";
  CHECK(contains(refused(doubling + "."), "again and again"));
}

TEST_CASE("damaged pickles, and PySKL files that are not as they should be") {
  for (const char* name : {"pyskl_2.pkl", "pyskl_5.pkl", "types.pkl"}) {
    CAPTURE(name);
    const auto read = [](std::string_view b) {
      io::Pickle p(b, "x", {.max_values = 100'000});
      if (!p.root().find("annotations")) return;
      const data::Pyskl d(std::move(p), "x");
      for (Index i = 0; i < d.size(); ++i) d.clip(i);
    };
    CHECK(test::fuzz(io::read_file(golden("pickle/" + std::string(name))), 3000, read) > 300);
  }
  const auto error = [](std::string_view b) {
    return message<IoError>([&] { data::Pyskl(io::Pickle(b, "f"), "f"); });
  };
  CHECK(contains(error("\x80\x02}."sv), "'annotations' is missing"));
  CHECK(contains(error("\x80\x02}X\x0b\0\0\0annotations]s."sv), "not a list of clips"));
}
