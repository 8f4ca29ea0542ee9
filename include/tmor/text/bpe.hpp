#pragma once
/// @file bpe.hpp
/// A byte-level byte-pair tokenizer that is trained on the corpus (Sennrich et al. 2016; bytes as in GPT-2):
/// any bytes can be encoded and come back unchanged, UTF-8 or not.
///
/// Tokens: the special ones first, then the 256 bytes, then what the merges make, in the order they were
/// learned. Two merges that make the same bytes make the same token.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"

TMOR_BEGIN

namespace detail {

/// Pieces that merges never cross: a run of letters (bytes from 128 up count as letters), of digits, or of
/// other signs, each with one space before it if there is one; or a run of white space. At most kMost bytes a
/// piece, so that encoding stays linear for any input. The pieces one after the other are the text.
class Pieces {
 public:
  explicit Pieces(std::string_view text) : rest_(text) {}

  /// The next piece, empty at the end.
  std::string_view next() {
    if (rest_.empty()) return {};
    const bool space = rest_[0] == ' ' && rest_.size() > 1 && kind(rest_[1]) != kSpace;
    std::size_t n = space ? 2 : 1;
    const Kind k = kind(rest_[n - 1]);
    while (n < rest_.size() && n < kMost && kind(rest_[n]) == k) ++n;
    // The last space of a run belongs to the word behind it.
    if (k == kSpace && n > 1 && n < rest_.size() && rest_[n - 1] == ' ' && kind(rest_[n]) != kSpace) --n;
    const std::string_view piece = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return piece;
  }

 private:
  enum Kind { kLetter, kDigit, kSpace, kSign };
  static constexpr std::size_t kMost = 128;

  static Kind kind(char c) {
    const unsigned b = static_cast<unsigned char>(c);
    if ((b | 32u) - 'a' < 26u || b >= 128) return kLetter;
    if (b - '0' < 10u) return kDigit;
    return b == ' ' || (b >= 9 && b <= 13) ? kSpace : kSign;
  }

  std::string_view rest_;
};

/// The printable character that stands for a byte in saved files: itself if it is printable in Latin-1, else
/// U+0100 + n for the n-th of the others (GPT-2's table).
inline const std::array<std::string, 256>& byte_alphabet() {
  static const auto table = [] {
    std::array<std::string, 256> t;
    unsigned other = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      const bool printable = (b > 32 && b < 127) || (b > 160 && b != 173);
      const unsigned code = printable ? b : other++;
      if (code < 128) {
        t[b] = static_cast<char>(code);
      } else {
        t[b] = static_cast<char>(0xC0 | (code >> 6));
        t[b] += static_cast<char>(0x80 | (code & 63));
      }
    }
    return t;
  }();
  return table;
}

}  // namespace detail

/// A trained tokenizer; immutable, so it may be used from several threads.
class BpeTokenizer {
 public:
  /// Token ids, as embeddings and losses take them.
  using Token = std::int32_t;

  static constexpr Token kPad = 0, kBos = 1, kEos = 2;
  static constexpr Index kSpecials = 3, kMinVocab = kSpecials + 256, kMaxVocab = Index{1} << 20;

  /// Learns merges from `corpus` until the vocabulary has `vocab` tokens or no pair occurs `min_count` times.
  /// The most frequent pair is merged first; of equals, the one whose bytes (left, then right) come first.
  /// Throws Error unless kMinVocab <= vocab <= kMaxVocab and min_count >= 1.
  static BpeTokenizer train(std::span<const std::string> corpus, Index vocab, Index min_count = 2);

  /// Number of tokens.
  Index vocab_size() const { return static_cast<Index>(bytes_.size()); }

  /// The tokens of a text, without special ones. Special names in the text are ordinary bytes.
  std::vector<Token> encode(std::string_view text) const {
    std::vector<Token> out;
    detail::Pieces pieces(text);
    for (auto p = pieces.next(); !p.empty(); p = pieces.next()) encode_piece(p, out);
    return out;
  }

  /// Exactly `context` tokens: <bos> text <eos> <pad>..., the text cut so that <eos> fits. Throws Error for
  /// context < 2.
  std::vector<Token> encode(std::string_view text, Index context) const {
    TMOR_CHECK(context >= 2 && context <= kMaxVocab, "BpeTokenizer: context length ", context,
               ", want at least 2 (<bos> and <eos>)");
    std::vector<Token> out{kBos};
    const auto body = encode(text);
    const Index used = std::min(std::ssize(body), context - 2);
    out.insert(out.end(), body.begin(), body.begin() + used);
    out.push_back(kEos);
    out.resize(static_cast<std::size_t>(context), kPad);
    return out;
  }

  /// The bytes of tokens; special ones give nothing. Throws Error for an id outside the vocabulary.
  std::string decode(std::span<const Token> tokens) const {
    std::string text;
    for (const Token t : tokens) {
      TMOR_CHECK(t >= 0 && t < vocab_size(), "BpeTokenizer: token ", t, " is outside the vocabulary of ",
                 vocab_size());
      text += bytes_[static_cast<std::size_t>(t)];
    }
    return text;
  }

  /// The tokenizer as text: a header line, then one merge a line (left and right in GPT-2's byte alphabet).
  std::string serialise() const;

  /// Reads what `serialise` wrote; `where` (a file name) begins the messages of the IoErrors that damaged
  /// text causes.
  static BpeTokenizer parse(std::string_view text, std::string_view where = "bpe");

  bool operator==(const BpeTokenizer& other) const {
    return bytes_ == other.bytes_ && merges_ == other.merges_;
  }

 private:
  using Pair = std::pair<Token, Token>;
  struct Merge {
    Token left, right, made;
    bool operator==(const Merge&) const = default;
  };

  static std::uint64_t key(Token left, Token right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
  }

  BpeTokenizer() : bytes_(static_cast<std::size_t>(kSpecials)) {
    for (int b = 0; b < 256; ++b) find_or_add(std::string(1, static_cast<char>(b)));
  }

  static Token byte_token(char c) { return static_cast<Token>(kSpecials + static_cast<unsigned char>(c)); }

  Token find_or_add(const std::string& bytes) {
    const auto [it, added] = token_.emplace(bytes, static_cast<Token>(vocab_size()));
    if (added) bytes_.push_back(bytes);
    return it->second;
  }

  Token add_merge(Token left, Token right) {
    const Token made =
        find_or_add(bytes_[static_cast<std::size_t>(left)] + bytes_[static_cast<std::size_t>(right)]);
    rank_.emplace(key(left, right), merges_.size());
    merges_.push_back({left, right, made});
    return made;
  }

  /// Applies the earliest learned merge, leftmost first, until none fits.
  void encode_piece(std::string_view piece, std::vector<Token>& out) const {
    const std::size_t begin = out.size();
    for (const char c : piece) out.push_back(byte_token(c));
    while (true) {
      std::size_t best = merges_.size(), place = 0;
      for (std::size_t i = begin; i + 1 < out.size(); ++i) {
        const auto it = rank_.find(key(out[i], out[i + 1]));
        if (it != rank_.end() && it->second < best) best = it->second, place = i;
      }
      if (best == merges_.size()) return;
      out[place] = merges_[best].made;
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
  }

  class Trainer;

  std::vector<std::string> bytes_;                       // of each token; "" for special ones
  std::unordered_map<std::string, Token> token_;         // the other way round
  std::vector<Merge> merges_;                            // in the order learned
  std::unordered_map<std::uint64_t, std::size_t> rank_;  // pair -> its merge
};

/// Learns merges over the distinct pieces of a corpus, updating only the pieces a merge touches.
class BpeTokenizer::Trainer {
 public:
  Trainer(std::span<const std::string> corpus, BpeTokenizer& made) : made_(made), first_(Later{&made}) {
    std::map<std::string, Index, std::less<>> counts;  // ordered, so that nothing depends on hashing
    for (const auto& text : corpus) {
      detail::Pieces pieces(text);
      for (auto p = pieces.next(); !p.empty(); p = pieces.next()) {
        const auto it = counts.find(p);
        if (it != counts.end())
          ++it->second;
        else
          counts.emplace(p, 1);
      }
    }
    for (const auto& [piece, count] : counts) {
      Word w{{}, count};
      for (const char c : piece) w.tokens.push_back(byte_token(c));
      words_.push_back(std::move(w));
      count_pairs(words_.size() - 1, 1);
    }
    push_changed();
  }

  void run(Index vocab, Index min_count) {
    while (made_.vocab_size() < vocab && std::ssize(made_.merges_) < kMaxVocab && !first_.empty()) {
      const Candidate c = first_.top();
      first_.pop();
      if (pairs_[c.pair].count != c.count) continue;  // outdated
      if (c.count < min_count) return;
      merge(c.pair);
    }
  }

 private:
  struct Word {
    std::vector<Token> tokens;
    Index count;
  };
  struct PairUse {
    Index count = 0;
    std::vector<std::size_t> words;  // that hold it, or once did
  };
  struct Candidate {
    Index count;
    Pair pair;
  };
  /// Orders candidates so that the one to merge next is on top.
  struct Later {
    const BpeTokenizer* made;
    bool operator()(const Candidate& a, const Candidate& b) const {
      if (a.count != b.count) return a.count < b.count;
      const auto text = [&](Token t) -> const std::string& {
        return made->bytes_[static_cast<std::size_t>(t)];
      };
      const int left = text(a.pair.first).compare(text(b.pair.first));
      return left != 0 ? left > 0 : text(a.pair.second).compare(text(b.pair.second)) > 0;
    }
  };

  /// Adds (sign 1) or takes away (-1) a word's pairs.
  void count_pairs(std::size_t word, Index sign) {
    const Word& w = words_[word];
    for (std::size_t i = 0; i + 1 < w.tokens.size(); ++i) {
      const Pair pair{w.tokens[i], w.tokens[i + 1]};
      PairUse& use = pairs_[pair];
      use.count += sign * w.count;
      if (sign > 0 && (use.words.empty() || use.words.back() != word)) use.words.push_back(word);
      changed_.push_back(pair);
    }
  }

  void push_changed() {
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (const Pair& p : changed_)
      if (const Index count = pairs_[p].count; count > 0) first_.push({count, p});
    changed_.clear();
  }

  void merge(Pair pair) {
    const Token made = made_.add_merge(pair.first, pair.second);
    for (const std::size_t word : std::vector<std::size_t>(pairs_[pair].words)) {
      auto& t = words_[word].tokens;
      if (std::adjacent_find(t.begin(), t.end(), [&](Token a, Token b) {
            return Pair{a, b} == pair;
          }) == t.end())
        continue;
      count_pairs(word, -1);
      std::size_t n = 0;
      for (std::size_t i = 0; i < t.size(); ++i) {
        const bool here = i + 1 < t.size() && Pair{t[i], t[i + 1]} == pair;
        t[n++] = here ? made : t[i];
        i += here;
      }
      t.resize(n);
      count_pairs(word, 1);
    }
    push_changed();
  }

  BpeTokenizer& made_;
  std::vector<Word> words_;
  std::map<Pair, PairUse> pairs_;
  std::vector<Pair> changed_;
  std::priority_queue<Candidate, std::vector<Candidate>, Later> first_;
};

inline BpeTokenizer BpeTokenizer::train(std::span<const std::string> corpus, Index vocab, Index min_count) {
  TMOR_CHECK(vocab >= kMinVocab && vocab <= kMaxVocab, "BpeTokenizer: a vocabulary of ", vocab, ", want ",
             kMinVocab, " (all bytes) to ", kMaxVocab);
  TMOR_CHECK(min_count >= 1, "BpeTokenizer: min_count is ", min_count, ", want 1 or more");
  BpeTokenizer t;
  Trainer(corpus, t).run(vocab, min_count);
  return t;
}

inline std::string BpeTokenizer::serialise() const {
  const auto& alphabet = detail::byte_alphabet();
  std::string out = detail::cat("tmor-bpe 1 ", merges_.size(), "\n");
  const auto spell = [&](Token t) {
    for (const char c : bytes_[static_cast<std::size_t>(t)]) out += alphabet[static_cast<unsigned char>(c)];
  };
  for (const Merge& m : merges_) {
    spell(m.left);
    out += ' ';
    spell(m.right);
    out += '\n';
  }
  return out;
}

inline BpeTokenizer BpeTokenizer::parse(std::string_view text, std::string_view where) {
  constexpr std::string_view kMagic = "tmor-bpe 1 ";
  TMOR_CHECK_IO(text.starts_with(kMagic), where, ": not a tokenizer file (does not begin with 'tmor-bpe 1')");
  Index line_number = 0;
  const auto next_line = [&] {
    ++line_number;
    const std::size_t end = text.find('\n');
    TMOR_CHECK_IO(end != text.npos, where, ": line ", line_number, ": the file ends early");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
  };
  const std::string_view header = next_line().substr(kMagic.size());
  Index count = -1;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), count);
  TMOR_CHECK_IO(
      error == std::errc() && end == header.data() + header.size() && count >= 0 && count <= kMaxVocab, where,
      ": line 1: bad number of merges");

  const auto& alphabet = detail::byte_alphabet();
  BpeTokenizer t;
  std::unordered_map<std::string, Token> spelled;
  for (std::size_t b = 0; b < 256; ++b) spelled.emplace(alphabet[b], byte_token(static_cast<char>(b)));
  for (Index i = 0; i < count; ++i) {
    const std::string_view line = next_line();
    const std::size_t space = line.find(' ');
    TMOR_CHECK_IO(space != line.npos && line.size() < 1024, where, ": line ", line_number,
                  ": not two tokens");
    const auto left = spelled.find(std::string(line.substr(0, space)));
    const auto right = spelled.find(std::string(line.substr(space + 1)));
    TMOR_CHECK_IO(left != spelled.end() && right != spelled.end(), where, ": line ", line_number,
                  ": a token that no earlier line makes");
    TMOR_CHECK_IO(!t.rank_.contains(key(left->second, right->second)), where, ": line ", line_number,
                  ": the same merge twice");
    std::string both = left->first + right->first;
    spelled.emplace(std::move(both), t.add_merge(left->second, right->second));
  }
  TMOR_CHECK_IO(text.empty(), where, ": line ", line_number + 1, ": more lines than the header says");
  return t;
}

TMOR_END
