#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "support/files.hpp"
#include "tmor/text/prompt_file.hpp"

using namespace tmor;

namespace {

const PromptBook kBook = {
    {"a person {}", "{} again and {}"},
    {"someone who {}"},
    {{"squat", {"squatting", "doing squats"}, {"bends the knees"}}, {"bowl", {"bowling"}, {}}}};

}  // namespace

TEST_CASE("prompts: templates are filled") {
  CHECK(fill_prompt("a person {}.", "bowling") == "a person bowling.");
  CHECK(fill_prompt("{}{}", "x") == "xx");
  CHECK(fill_prompt("{}", "") == "");
  CHECK(fill_prompt("{}", "{}") == "{}");  // the value is not looked at
  for (const char* bad : {"", "no place", "{", "}", "{} {", "{0}", "{{}}"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(fill_prompt(bad, "x"), Error);
  }
}

TEST_CASE("prompts: all captions of a class, in order") {
  kBook.check("book");
  CHECK(all_prompts(kBook, kBook.find("squat")) ==
        std::vector<std::string>{"a person squatting", "a person doing squats",
                                 "squatting again and squatting", "doing squats again and doing squats",
                                 "someone who bends the knees"});
  CHECK(all_prompts(kBook, kBook.find("bowl")).size() == 2);
}

TEST_CASE("prompts: random captions are among all of them, and reach each") {
  Rng rng(1);
  for (const auto& c : kBook.classes) {
    const auto all = all_prompts(kBook, c);
    std::set<std::string> seen;
    for (int i = 0; i < 300; ++i) seen.insert(random_prompt(kBook, c, rng));
    CHECK(seen == std::set<std::string>(all.begin(), all.end()));
  }
  for (int i = 0; i < 50; ++i) {
    CHECK(random_prompt(kBook, kBook.classes[0], rng, 1) == "someone who bends the knees");
    CHECK(random_prompt(kBook, kBook.classes[0], rng, 0) != "someone who bends the knees");
  }
  Rng a(5), b(5);
  CHECK(random_prompt(kBook, kBook.classes[0], a) == random_prompt(kBook, kBook.classes[0], b));
}

TEST_CASE("prompts: what a book may not be") {
  CHECK_THROWS_AS(kBook.find("swim"), Error);
  CHECK_THROWS_AS(PromptBook{}.check("book"), Error);
  const auto refused = [](auto&& change) {
    PromptBook b = kBook;
    change(b);
    CHECK_THROWS_AS(b.check("book"), Error);
  };
  refused([](PromptBook& b) { b.templates.clear(); });
  refused([](PromptBook& b) { b.templates[0] = "none"; });
  refused([](PromptBook& b) { b.description_templates.clear(); });
  refused([](PromptBook& b) { b.classes[0].label = ""; });
  refused([](PromptBook& b) { b.classes[0].names.clear(); });
  refused([](PromptBook& b) { b.classes[1].label = "squat"; });
  Rng rng(1);
  CHECK_THROWS_AS(random_prompt(kBook, ClassText{}, rng), Error);
}

TEST_CASE("prompts: books are read from JSON") {
  const auto b = parse_prompt_book(R"({"templates": ["a {}"], "description_templates": ["who {}"],
      "classes": [{"label": "x", "names": ["xing"], "descriptions": ["bends"]}, {"label": "y", "names": ["ying"]}]})",
                                   "b.json");
  CHECK(all_prompts(b, b.find("x")) == std::vector<std::string>{"a xing", "who bends"});
  CHECK(all_prompts(b, b.find("y")) == std::vector<std::string>{"a ying"});
  const auto complaint = [](const char* text) {
    return test::message<Error>([&] { parse_prompt_book(text, "b.json"); });
  };
  CHECK(test::contains(complaint("[]"), "b.json: an object expected"));
  CHECK(test::contains(complaint("{}"), "\"templates\" is missing"));
  CHECK(test::contains(complaint(R"({"templates": "a {}"})"), "templates: a list of strings expected"));
  CHECK(test::contains(complaint(R"({"templates": ["a {}", 3]})"), "templates[1]: a string expected"));
  CHECK(test::contains(complaint(R"({"templates": ["a {}"], "classes": {}})"), "classes: a list expected"));
  CHECK(test::contains(complaint(R"({"templates": ["a {}"], "classes": [3]})"),
                       "classes[0]: an object expected"));
  CHECK(test::contains(complaint(R"({"templates": ["a {}"], "classes": [{"label": "x"}]})"),
                       "\"names\" is missing"));
  CHECK(test::contains(complaint(R"({"templates": ["a {}"], "classes": []})"), "0 classes"));
}

TEST_CASE("prompts: the captions of Penn Action are complete") {
  const auto project = std::filesystem::absolute(__FILE__).parent_path().parent_path().parent_path();
  const auto book = read_prompt_book((project / "examples/penn_action/captions.json").string());
  CHECK(book.templates.size() >= 8);
  CHECK(book.description_templates.size() >= 8);
  CHECK(book.classes.size() == 15);
  std::set<std::string> captions;
  std::size_t count = 0;
  for (const char* label : {"baseball_pitch", "baseball_swing", "bench_press", "bowl", "clean_and_jerk",
                            "golf_swing", "jump_rope", "jumping_jacks", "pullup", "pushup", "situp", "squat",
                            "strum_guitar", "tennis_forehand", "tennis_serve"}) {
    const auto& c = book.find(label);
    CHECK(c.names.size() >= 4);
    CHECK(c.descriptions.size() >= 6);
    for (const auto& caption : all_prompts(book, c)) captions.insert(caption), ++count;
  }
  CHECK(captions.size() == count);  // no caption belongs to two classes
}
