#include "tmor/text/bpe.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "support/files.hpp"

using namespace tmor;
using Token = BpeTokenizer::Token;

namespace {

BpeTokenizer trained(std::vector<std::string> corpus, Index merges, Index min_count = 2) {
  return BpeTokenizer::train(corpus, BpeTokenizer::kMinVocab + merges, min_count);
}

/// Token of a byte; tokens made by merges follow from 259.
Token byte(char c) { return 3 + static_cast<unsigned char>(c); }

std::string complaint(std::string_view text) {
  return test::message<IoError>([&] { BpeTokenizer::parse(text, "t.bpe"); });
}

std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> out;
  detail::Pieces p(text);
  for (auto s = p.next(); !s.empty(); s = p.next()) out.emplace_back(s);
  return out;
}

}  // namespace

TEST_CASE("bpe: text is cut into words before merging") {
  CHECK(pieces("raises both  arms, 12x!\n") ==
        std::vector<std::string>{"raises", " both", " ", " arms", ",", " 12", "x", "!", "\n"});
  CHECK(pieces("") == std::vector<std::string>{});
  CHECK(pieces(" ") == std::vector<std::string>{" "});
  CHECK(pieces("caf\xc3\xa9 a") == std::vector<std::string>{"caf\xc3\xa9", " a"});
  for (const auto& p : pieces(std::string(1000, 'x'))) CHECK(p.size() <= 128);
}

TEST_CASE("bpe: merges learned by hand-computed counts") {
  // hug x10, pug x5, pun x12, bun x4, hugs x5: ug 20, then un 16, then hug 15.
  std::vector<std::string> corpus;
  for (const auto& [word, count] : {std::pair{"hug", 10}, std::pair{"pug", 5}, std::pair{"pun", 12},
                                    std::pair{"bun", 4}, std::pair{"hugs", 5}})
    for (int i = 0; i < count; ++i) corpus.emplace_back(word);
  const auto t = trained(corpus, 3);
  CHECK(t.serialise() == "tmor-bpe 1 3\nu g\nu n\nh ug\n");
  CHECK(t.encode("hugs") == std::vector<Token>{261, byte('s')});
  CHECK(t.encode("bug") == std::vector<Token>{byte('b'), 259});
  CHECK(t.encode("mug") == std::vector<Token>{byte('m'), 259});
  const Token tokens[] = {BpeTokenizer::kBos, 261, byte('s'), BpeTokenizer::kEos, BpeTokenizer::kPad};
  CHECK(t.decode(tokens) == "hugs");
}

TEST_CASE("bpe: ties go to the pair whose bytes come first; rare pairs are left") {
  CHECK(trained({"cd", "cd", "ab", "ab", "xy"}, 9).serialise() == "tmor-bpe 1 2\na b\nc d\n");
  CHECK(trained({"cd", "ab"}, 9, 1).serialise() == "tmor-bpe 1 2\na b\nc d\n");
  CHECK(trained({"ab", "ac"}, 1, 1).serialise() == "tmor-bpe 1 1\na b\n");
  CHECK(trained({"aaaa"}, 1).encode("aaaaa") == std::vector<Token>{259, 259, byte('a')});
  // Training does not depend on the order of the corpus.
  std::vector<std::string> a = {"raises both arms", "bends both knees", "swings the right arm",
                                "the left arm rises"};
  auto b = a;
  std::reverse(b.begin(), b.end());
  CHECK(trained(a, 50) == trained(b, 50));
}

TEST_CASE("bpe: the incremental trainer finds what recounting everything finds") {
  std::mt19937 gen(3);
  for (int trial = 0; trial < 60; ++trial) {
    std::vector<std::string> corpus;
    for (std::size_t w = 0, words = 1 + gen() % 12; w < words; ++w) {
      std::string s;
      for (std::size_t i = 0, n = 1 + gen() % 10; i < n; ++i) s += static_cast<char>('a' + gen() % 3);
      corpus.push_back(s);
    }
    // The plain algorithm, on strings: tokens are their bytes.
    std::vector<std::vector<std::string>> words;
    for (const auto& s : corpus) {
      words.emplace_back();
      for (const char c : s) words.back().emplace_back(1, c);
    }
    std::string expected;
    int merges = 0;
    std::map<std::string, int> known;
    for (const char c : {'a', 'b', 'c'}) known[std::string(1, c)] = 1;
    while (known.size() < 3 + 12) {
      std::map<std::pair<std::string, std::string>, int> counts;
      for (const auto& w : words)
        for (std::size_t i = 0; i + 1 < w.size(); ++i) ++counts[{w[i], w[i + 1]}];
      auto best = counts.end();
      for (auto it = counts.begin(); it != counts.end(); ++it)
        if (it->second >= 2 && (best == counts.end() || it->second > best->second)) best = it;
      if (best == counts.end()) break;
      const auto [left, right] = best->first;
      expected += left + " " + right + "\n";
      ++merges;
      known[left + right] = 1;
      for (auto& w : words)
        for (std::size_t i = 0; i + 1 < w.size(); ++i)
          if (w[i] == left && w[i + 1] == right) {
            w[i] += right;
            w.erase(w.begin() + static_cast<std::ptrdiff_t>(i) + 1);
          }
    }
    CHECK(trained(corpus, 12).serialise() == "tmor-bpe 1 " + std::to_string(merges) + "\n" + expected);
  }
}

TEST_CASE("bpe: any bytes come back unchanged") {
  std::mt19937 gen(5);
  const auto t = trained({"a person raises both arms overhead", "the person bends the knees and jumps",
                          "aaaa  aaaa", "\xff\xfe\xff\xfe", "h\xc3\xa9h\xc3\xa9"},
                         100, 1);
  const std::string alphabet = "abe rsn  \n1,\xc3\xa9\xff\xfe";
  for (int i = 0; i < 3000; ++i) {
    std::string s;
    for (auto n = gen() % 200; n > 0; --n)
      s += i % 2 ? static_cast<char>(gen() % 256) : alphabet[gen() % alphabet.size()];
    const auto tokens = t.encode(s);
    CHECK(t.decode(tokens) == s);
    CHECK(tokens.size() <= s.size());
  }
  const std::string with_zero("a\0b", 3);
  CHECK(t.decode(t.encode(with_zero)) == with_zero);
  CHECK(t.decode(t.encode("<eos>")) == "<eos>");
  const std::string big(1000000, 'a');  // one enormous word must not take quadratic time
  CHECK(t.decode(t.encode(big)) == big);
}

TEST_CASE("bpe: fixed context") {
  const auto t = trained({"ab ab"}, 0);
  CHECK(t.encode("ab", 6) == std::vector<Token>{1, byte('a'), byte('b'), 2, 0, 0});
  CHECK(t.encode("abcdef", 4) == std::vector<Token>{1, byte('a'), byte('b'), 2});
  CHECK(t.encode("abc", 2) == std::vector<Token>{1, 2});
  CHECK(t.encode("", 3) == std::vector<Token>{1, 2, 0});
  CHECK_THROWS_AS(t.encode("ab", 1), Error);
  CHECK_THROWS_AS(t.encode("ab", -3), Error);
}

TEST_CASE("bpe: saved and read again") {
  std::mt19937 gen(9);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<std::string> corpus(5);
    for (auto& s : corpus)
      for (int i = 0; i < 200; ++i) s += static_cast<char>(trial % 2 ? gen() % 256 : 'a' + gen() % 4);
    const auto t = trained(corpus, 80, 1);
    const auto u = BpeTokenizer::parse(t.serialise());
    CHECK(t == u);
    CHECK(u.encode(corpus[0]) == t.encode(corpus[0]));
  }
}

TEST_CASE("bpe: refused input") {
  CHECK_THROWS_AS(BpeTokenizer::train({}, 258), Error);
  CHECK_THROWS_AS(BpeTokenizer::train({}, Index{1} << 40), Error);
  CHECK_THROWS_AS(BpeTokenizer::train({}, 300, 0), Error);
  const auto t = BpeTokenizer::train({}, 300);
  CHECK(t.vocab_size() == 259);
  const Token outside[] = {259};
  const Token negative[] = {-1};
  CHECK_THROWS_AS(t.decode(outside), Error);
  CHECK_THROWS_AS(t.decode(negative), Error);

  CHECK(test::contains(complaint(""), "t.bpe: not a tokenizer file"));
  CHECK(test::contains(complaint("{\"model\":1}"), "not a tokenizer file"));
  CHECK(test::contains(complaint("tmor-bpe 1 "), "line 1: the file ends early"));
  for (const char* count : {"", "x", "-1", "2x", "99999999999999999999", "2000000000"})
    CHECK(test::contains(complaint("tmor-bpe 1 " + std::string(count) + "\n"), "bad number of merges"));
  CHECK(test::contains(complaint("tmor-bpe 1 2\na b\n"), "line 3: the file ends early"));
  CHECK(test::contains(complaint("tmor-bpe 1 1\nab\n"), "line 2: not two tokens"));
  CHECK(test::contains(complaint("tmor-bpe 1 1\nab c\n"), "no earlier line makes"));
  CHECK(test::contains(complaint("tmor-bpe 1 1\na \n"), "no earlier line makes"));
  CHECK(test::contains(complaint("tmor-bpe 1 2\na b\na b\n"), "line 3: the same merge twice"));
  CHECK(test::contains(complaint("tmor-bpe 1 1\na b\nc d\n"), "line 3: more lines"));
  CHECK(test::contains(complaint("tmor-bpe 1 1\n" + std::string(5000, 'a') + " b\n"), "not two tokens"));
}

TEST_CASE("bpe: damaged files never crash") {
  std::mt19937 gen(11);
  const auto good =
      trained({"raises both arms overhead and bends both knees", "arms arms knees \xff\xfe\xff\xfe"}, 40)
          .serialise();
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string s = good;
    for (auto n = 1 + gen() % 3; n > 0; --n) s[gen() % s.size()] = static_cast<char>(gen() % 256);
    if (i % 5 == 0) s.resize(gen() % s.size());
    try {
      const auto t = BpeTokenizer::parse(s);
      CHECK(t.decode(t.encode("both arms")) == "both arms");
    } catch (const IoError&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}
