#pragma once
/// @file pickle.hpp
/// Python pickles of plain data: None, booleans, numbers, texts, bytes, lists, tuples, dictionaries and NumPy
/// arrays, protocols 2 to 5. Nothing is ever called or built from a name in the file: a pickle that asks for
/// any other class or function is refused with that name. This is what PySKL and MMAction2 hand skeletons on
/// in (data/pyskl.hpp).

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/io/array.hpp"
#include "tmor/io/file.hpp"

TMOR_BEGIN
namespace io {

/// One value. Containers point to values that their `Pickle` owns.
struct PickleValue {
  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    number,
    text,
    bytes,
    list,
    tuple,
    dict,
    array,
    dtype,
    name
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;               ///< of a boolean too
  double number = 0;                      ///< of a number
  std::string text;                       ///< of a text, bytes; UTF-8 is the writer's affair
  std::vector<const PickleValue*> items;  ///< of a list or tuple; of a dict keys and values by turns
  Array array;

  /// The value of a key that is a text, or null.
  const PickleValue* find(std::string_view key) const {
    for (std::size_t i = 0; kind == Kind::dict && i + 1 < items.size(); i += 2)
      if (items[i]->kind == Kind::text && items[i]->text == key) return items[i + 1];
    return nullptr;
  }
  bool is_list() const { return kind == Kind::list || kind == Kind::tuple; }
};

/// "a dict", for errors.
inline const char* kind_name(PickleValue::Kind k) {
  constexpr const char* names[] = {"None",   "a boolean", "an integer", "a number", "a text",       "bytes",
                                   "a list", "a tuple",   "a dict",     "an array", "a NumPy type", "a name"};
  return names[static_cast<int>(k)];
}

struct PickleOptions {
  std::size_t max_values = std::size_t{1} << 24;  ///< in the file, and reachable from its root
  int max_depth = 64;                             ///< of containers
};

namespace detail {

/// Interprets the opcodes. Values live in `values`; stack and memo point to them.
class PickleReader {
 public:
  using Value = PickleValue;
  using Kind = PickleValue::Kind;

  PickleReader(std::string_view bytes, std::string_view name, const PickleOptions& o,
               std::deque<Value>& values)
      : bytes_(bytes), name_(name), options_(o), values_(values) {}

  const Value* run() {
    for (;;) {
      op_at_ = at_;
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') break;
      step(op);
    }
    if (stack_.size() != 1 || !marks_.empty())
      bad("the pickle ends with ", stack_.size(), " values, want one");
    sizes_.clear();
    expanded(stack_[0], 0);
    return stack_[0];
  }

 private:
  template <class... A> [[noreturn]] void bad(const A&... parts) const {
    fail<IoError>(name_, ": byte ", op_at_, ": ", parts...);
  }

  std::string_view take(std::uint64_t n) {
    if (n > bytes_.size() - at_) bad(n, " bytes wanted where ", bytes_.size() - at_, " are left: cut short?");
    const auto part = bytes_.substr(at_, n);
    at_ += n;
    return part;
  }
  std::uint64_t number(int width) {
    const auto b = take(static_cast<std::uint64_t>(width));
    std::uint64_t v = 0;
    std::memcpy(&v, b.data(), b.size());
    return v;
  }
  std::string_view line() {
    const auto end = bytes_.find('\n', at_);
    if (end == bytes_.npos || end - at_ > 256) bad("a name without an end");
    const auto s = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return s;
  }

  Value* make(Kind kind) {
    if (values_.size() >= options_.max_values) bad("more than ", options_.max_values, " values");
    values_.emplace_back().kind = kind;
    return &values_.back();
  }
  Value* push(Value* v) {
    stack_.push_back(v);
    return v;
  }
  Value* push(Kind kind) { return push(make(kind)); }
  void push_integer(std::int64_t v) { push(Kind::integer)->integer = v; }
  void push_text(Kind kind, std::string_view s) { push(kind)->text = s; }

  std::size_t base() const { return marks_.empty() ? 0 : marks_.back(); }
  Value* pop() {
    if (stack_.size() <= base()) bad("a value is taken from an empty stack");
    Value* v = stack_.back();
    stack_.pop_back();
    return v;
  }
  Value* top() {
    if (stack_.size() <= base()) bad("a value is wanted from an empty stack");
    return stack_.back();
  }
  /// Values since the last mark.
  std::vector<const Value*> pop_marked() {
    if (marks_.empty()) bad("values since a mark are wanted, and there is no mark");
    std::vector<const Value*> out(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return out;
  }
  void push_items(Kind kind, std::vector<const Value*> items) { push(kind)->items = std::move(items); }
  void append(Kind kind, const std::vector<const Value*>& more) {
    Value* to = top();
    if (to->kind != kind) bad("items for ", kind_name(to->kind), ", want ", kind_name(kind));
    if (kind == Kind::dict && more.size() % 2) bad("a key without a value");
    to->items.insert(to->items.end(), more.begin(), more.end());
  }
  void last(std::size_t n) {
    std::vector<const Value*> items(n);
    for (std::size_t i = n; i > 0; --i) items[i - 1] = pop();
    push_items(Kind::tuple, std::move(items));
  }
  void remember(std::uint64_t key) {
    if (memo_.size() >= options_.max_values) bad("more than ", options_.max_values, " values are remembered");
    memo_[key] = top();
  }
  void recall(std::uint64_t key) {
    const auto it = memo_.find(key);
    if (it == memo_.end()) bad("value ", key, " was never remembered");
    push(it->second);
  }

  void step(unsigned char op) {
    switch (op) {
      case 0x80:
        if (const auto v = number(1); v < 2 || v > 5) bad("pickle protocol ", v, ", want 2 to 5");
        return;
      case 0x95:
        if (number(8) > bytes_.size() - at_) bad("a frame longer than the file");
        return;
      case '(':
        if (marks_.size() >= options_.max_values) bad("too many marks");
        return marks_.push_back(stack_.size());
      case '0':
        pop();
        return;
      case '1':
        pop_marked();
        return;
      case 'N':
        push(Kind::none);
        return;
      case 0x88:
      case 0x89:
        push(Kind::boolean)->integer = op == 0x88;
        return;
      case 'J':
        return push_integer(static_cast<std::int32_t>(number(4)));
      case 'K':
        return push_integer(static_cast<std::int64_t>(number(1)));
      case 'M':
        return push_integer(static_cast<std::int64_t>(number(2)));
      case 0x8a:
        return push_long(number(1));
      case 0x8b:
        return push_long(number(4));
      case 'G': {
        auto b = std::string(take(8));
        std::reverse(b.begin(), b.end());
        std::memcpy(&push(Kind::number)->number, b.data(), 8);
        return;
      }
      case 'X':
        return push_text(Kind::text, take(number(4)));
      case 0x8c:
        return push_text(Kind::text, take(number(1)));
      case 0x8d:
        return push_text(Kind::text, take(number(8)));
      case 'T':
        return push_text(Kind::text, take(number(4)));
      case 'U':
        return push_text(Kind::text, take(number(1)));
      case 'B':
        return push_text(Kind::bytes, take(number(4)));
      case 'C':
        return push_text(Kind::bytes, take(number(1)));
      case 0x8e:
      case 0x96:
        return push_text(Kind::bytes, take(number(8)));
      case ']':
      case ')':
      case '}':
        push(op == ']' ? Kind::list : op == ')' ? Kind::tuple : Kind::dict);
        return;
      case 'l':
        return push_items(Kind::list, pop_marked());
      case 't':
        return push_items(Kind::tuple, pop_marked());
      case 'd': {
        auto items = pop_marked();
        if (items.size() % 2) bad("a key without a value");
        return push_items(Kind::dict, std::move(items));
      }
      case 0x85:
      case 0x86:
      case 0x87:
        return last(op - 0x84u);
      case 'a':
        return append(Kind::list, {pop()});
      case 'e':
        return append(Kind::list, pop_marked());
      case 's': {
        const Value* value = pop();
        const Value* key = pop();
        return append(Kind::dict, {key, value});
      }
      case 'u':
        return append(Kind::dict, pop_marked());
      case 'q':
        return remember(number(1));
      case 'r':
        return remember(number(4));
      case 0x94:
        return remember(memo_.size());
      case 'h':
        return recall(number(1));
      case 'j':
        return recall(number(4));
      case 'c': {
        const std::string module(line());
        return push_name(module + "." + std::string(line()));
      }
      case 0x93: {
        const Value* name = pop();
        const Value* module = pop();
        if (name->kind != Kind::text || module->kind != Kind::text) bad("a name that is no text");
        return push_name(module->text + "." + name->text);
      }
      case 'R': {
        const Value* arguments = pop();
        const Value* callee = pop();
        return reduce(*callee, *arguments);
      }
      case 'b': {
        const Value* state = pop();
        return build(*top(), *state);
      }
      default: {
        const char hex[] = "0123456789abcdef";
        bad("opcode 0x", hex[op >> 4], hex[op & 15], " is not one of plain data in protocols 2 to 5");
      }
    }
  }

  void push_long(std::uint64_t width) {
    if (width > 8) bad("an integer of ", width, " bytes, want 8 at most");
    const auto b = take(width);
    std::uint64_t v = 0;
    if (width > 0) {
      if (static_cast<signed char>(b[width - 1]) < 0) v = ~std::uint64_t{0};
      std::memcpy(&v, b.data(), width);
    }
    push_integer(static_cast<std::int64_t>(v));
  }

  /// Names are only ever compared with these.
  void push_name(std::string name) {
    for (const char* old : {"numpy.core.", "numpy._core."})
      if (name.starts_with(old)) name = "numpy/" + name.substr(std::string_view(old).size());
    for (const char* known :
         {"numpy/multiarray._reconstruct", "numpy/multiarray.scalar", "numpy/numeric._frombuffer",
          "numpy.ndarray", "numpy.dtype", "_codecs.encode", "collections.OrderedDict"})
      if (name == known) return push_text(Kind::name, name);
    bad("the pickle asks for '", name.substr(0, 100),
        "': only plain containers and NumPy arrays are read, nothing else is ever made");
  }

  const Value& argument(const Value& list, std::size_t i, Kind kind, const char* what) const {
    if (!list.is_list() || i >= list.items.size() || list.items[i]->kind != kind)
      bad(what, ": ", kind_name(kind), " expected");
    return *list.items[i];
  }

  void reduce(const Value& callee, const Value& arguments) {
    if (callee.kind != Kind::name || arguments.kind != Kind::tuple) bad("a call of what is no function");
    const std::string& f = callee.text;
    if (f == "collections.OrderedDict") {
      if (!arguments.items.empty()) bad("an OrderedDict with arguments");
      push(Kind::dict);
    } else if (f == "_codecs.encode") {  // bytes, as protocol 2 writes them
      push_text(Kind::bytes, latin1(argument(arguments, 0, Kind::text, "_codecs.encode").text));
    } else if (f == "numpy.dtype") {
      push_text(Kind::dtype, argument(arguments, 0, Kind::text, "numpy.dtype").text);
    } else if (f == "numpy/multiarray._reconstruct") {
      push(Kind::array);
    } else if (f == "numpy/multiarray.scalar") {
      scalar(argument(arguments, 0, Kind::dtype, "a NumPy number"),
             argument(arguments, 1, Kind::bytes, "a NumPy number"));
    } else if (f == "numpy/numeric._frombuffer") {
      const Value& order = argument(arguments, 3, Kind::text, "a NumPy array");
      Value* a = push(Kind::array);
      fill(*a, argument(arguments, 0, Kind::bytes, "a NumPy array"),
           argument(arguments, 1, Kind::dtype, "a NumPy array"),
           argument(arguments, 2, Kind::tuple, "a NumPy array"), order.text == "F");
    } else {
      bad("'", f, "' is called, which is no function of plain data");
    }
  }

  void build(Value& to, const Value& state) {
    if (to.kind == Kind::dtype) {  // (3, '<', None, ...)
      const std::string& order = argument(state, 1, Kind::text, "the state of a NumPy type").text;
      if (order != "<" && order != ">" && order != "|" && order != "=")
        bad("a byte order '", order.substr(0, 8), "'");
      if (order == ">" && !to.text.starts_with('>')) to.text = ">" + to.text;
    } else if (to.kind == Kind::array) {  // (1, shape, dtype, fortran, bytes)
      fill(to,
           argument(state, 4, Kind::bytes, "the elements of a NumPy array (of objects, which are not read)"),
           argument(state, 2, Kind::dtype, "a NumPy array"), argument(state, 1, Kind::tuple, "a NumPy array"),
           argument(state, 3, Kind::boolean, "a NumPy array").integer != 0);
    } else {
      bad("a state for ", kind_name(to.kind));
    }
  }

  std::pair<Stored, bool> element(const Value& dtype) const {
    std::string_view t = dtype.text;
    const bool big = t.starts_with('>');
    if (!t.empty() && std::string_view("<>|=").find(t[0]) != std::string_view::npos) t.remove_prefix(1);
    constexpr std::pair<const char*, Stored> known[] = {
        {"i1", Stored::i8},  {"u1", Stored::u8},  {"i2", Stored::i16}, {"u2", Stored::u16},
        {"i4", Stored::i32}, {"u4", Stored::u32}, {"i8", Stored::i64}, {"u8", Stored::u64},
        {"f2", Stored::f16}, {"f4", Stored::f32}, {"f8", Stored::f64}, {"b1", Stored::boolean}};
    for (const auto& [word, stored] : known)
      if (t == word) return {stored, big};
    bad("elements of the NumPy type '", dtype.text.substr(0, 16), "' are not read");
  }

  void fill(Value& to, const Value& raw, const Value& dtype, const Value& sizes, bool fortran) {
    const auto [stored, big] = element(dtype);
    Shape shape;
    if (sizes.items.size() > Shape::kMaxRank)
      bad("an array of ", sizes.items.size(), " dimensions, want 8 at most");
    for (const Value* s : sizes.items) {
      if (s->kind != Kind::integer || s->integer < 0) bad("the size of an array is ", kind_name(s->kind));
      shape.push_back(s->integer);
    }
    // The bytes of one text may be asked for again and again.
    made_ += raw.text.size();
    if (made_ / 4 > bytes_.size()) bad("the arrays take far more bytes than the file has");
    to.array = load_elements(raw.text, stored, big, shape, name_, op_at_);
    if (fortran) to.array = from_column_major(std::move(to.array));
  }

  void scalar(const Value& dtype, const Value& raw) {
    Value one;
    Value none;
    none.kind = Kind::tuple;
    fill(one, raw, dtype, none, false);
    const auto stored = element(dtype).first;
    if (stored == Stored::boolean) {
      push(Kind::boolean)->integer = one.array.as<bool>()[0];
    } else if (stored == Stored::f16 || stored == Stored::f32 || stored == Stored::f64) {
      push(Kind::number)->number = one.array.convert_to<double>().as<double>()[0];
    } else {
      push_integer(one.array.convert_to<std::int64_t>().as<std::int64_t>()[0]);
    }
  }

  /// UTF-8 of characters below 256 as one byte each.
  std::string latin1(const std::string& s) {
    made_ += s.size();
    if (made_ / 4 > bytes_.size()) bad("the arrays take far more bytes than the file has");
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i) {
      const auto c = static_cast<unsigned char>(s[i]);
      if (c < 0x80) {
        out += s[i];
      } else if ((c == 0xc2 || c == 0xc3) && i + 1 < s.size() &&
                 (static_cast<unsigned char>(s[i + 1]) & 0xc0) == 0x80) {
        out += static_cast<char>((c << 6) | (static_cast<unsigned char>(s[++i]) & 0x3f));
      } else {
        bad("bytes written as text hold a character above 255");
      }
    }
    return out;
  }

  /// Values that a walk from `v` meets, so that nobody who walks meets a cycle, or few bytes that mean
  /// billions.
  std::size_t expanded(const Value* v, int depth) {
    if (depth > options_.max_depth)
      bad("containers nested deeper than ", options_.max_depth, " levels, or in themselves");
    if (v->kind == Kind::dtype || v->kind == Kind::name) bad(kind_name(v->kind), " where data are expected");
    if (v->items.empty()) return 1;
    if (const auto it = sizes_.find(v); it != sizes_.end()) return it->second;
    std::size_t n = 1;
    for (const Value* item : v->items) {
      n += expanded(item, depth + 1);
      if (n > options_.max_values)
        bad("more than ", options_.max_values, " values, some of them again and again");
    }
    return sizes_[v] = n;
  }

  std::string_view bytes_;
  std::string_view name_;
  PickleOptions options_;
  std::deque<Value>& values_;
  std::size_t at_ = 0, op_at_ = 0, made_ = 0;
  std::vector<Value*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, Value*> memo_;
  std::map<const Value*, std::size_t> sizes_;
};

}  // namespace detail

/// A pickle that was read. Moved, not copied.
class Pickle {
 public:
  /// @throws IoError naming `name` and the byte for anything but plain data, damage, and more values than the
  /// caps.
  Pickle(std::string_view bytes, std::string_view name, const PickleOptions& o = {}) {
    root_ = detail::PickleReader(bytes, name, o, values_).run();
  }
  Pickle(Pickle&&) = default;
  Pickle& operator=(Pickle&&) = default;

  const PickleValue& root() const { return *root_; }

 private:
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;
};

/// @throws IoError
inline Pickle read_pickle(const std::string& path, const PickleOptions& o = {}) {
  const MappedFile file(path);
  return Pickle(file.bytes(), path, o);
}

}  // namespace io
TMOR_END
