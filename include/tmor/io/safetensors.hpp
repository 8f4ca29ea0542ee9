#pragma once
/// @file safetensors.hpp
/// The safetensors format: 8 bytes with the length of a JSON header, the header (name → type, shape, place),
/// then the elements. Format: https://github.com/huggingface/safetensors.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/io/array.hpp"
#include "tmor/io/file.hpp"
#include "tmor/io/json.hpp"

TMOR_BEGIN
namespace io {

/// Longest header that is read, as in the format's own library: 100 MB.
inline constexpr std::size_t kMaxSafetensorsHeader = 100'000'000;

namespace detail {

inline constexpr struct {
  const char* name;
  DType dtype;
} kSafetensorsTypes[] = {{"F32", DType::f32}, {"F64", DType::f64},     {"BF16", DType::bf16},
                         {"F16", DType::f16}, {"I32", DType::i32},     {"I64", DType::i64},
                         {"U8", DType::u8},   {"BOOL", DType::boolean}};

inline DType safetensors_dtype(const std::string& type, std::string_view where) {
  for (const auto& t : kSafetensorsTypes)
    if (type == t.name) return t.dtype;
  fail<IoError>(where, ": elements of type ", type, " are not read (F32 F64 BF16 F16 I32 I64 U8 BOOL are)");
}

}  // namespace detail

/// An opened safetensors file. The header is checked whole on opening: the tensors cover the data without
/// holes or overlaps, names are unique, sizes agree; reading a tensor cannot fail on a bad place afterwards.
class SafeTensors {
 public:
  struct Info {
    DType dtype = DType::f32;
    Shape shape;
    std::size_t begin = 0, end = 0;  ///< bytes, from the start of the data
  };

  /// Maps the file. @throws IoError naming the file and the tensor at fault.
  explicit SafeTensors(const std::string& path) : name_(path), file_(path) { open(file_.bytes()); }
  /// Reads from `bytes`, which the caller keeps alive; `name` is named in errors.
  SafeTensors(std::string_view bytes, std::string name) : name_(std::move(name)) { open(bytes); }

  /// By name, sorted.
  const std::map<std::string, Info>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool contains(const std::string& name) const { return tensors_.count(name) != 0; }

  /// @throws IoError when there is no tensor of that name.
  const Info& info(const std::string& name) const {
    const auto it = tensors_.find(name);
    TMOR_CHECK_IO(it != tensors_.end(), name_, ": no tensor '", name, "' among ", tensors_.size());
    return it->second;
  }
  /// The bytes of a tensor inside the file: no copy; alive as long as this object; aligned for no type.
  std::string_view bytes(const std::string& name) const {
    const Info& i = info(name);
    return data_.substr(i.begin, i.end - i.begin);
  }
  /// A copy of a tensor. @throws IoError when there is none, or a BOOL is neither 0 nor 1.
  Array array(const std::string& name) const {
    const Info& i = info(name);
    const auto raw = bytes(name);
    Array a(i.dtype, i.shape);
    if (!raw.empty()) std::memcpy(a.data(), raw.data(), raw.size());
    const bool ok =
        i.dtype != DType::boolean || raw.find_first_not_of(std::string_view("\0\1", 2)) == raw.npos;
    TMOR_CHECK_IO(ok, name_, ": tensor '", name, "' holds a boolean that is neither 0 nor 1");
    return a;
  }

 private:
  void open(std::string_view file) {
    TMOR_CHECK_IO(file.size() >= 8, name_, ": byte 0: ", file.size(), " bytes are no safetensors file");
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), 8);
    TMOR_CHECK_IO(length <= kMaxSafetensorsHeader && length <= file.size() - 8, name_,
                  ": byte 0: a header of ", length, " bytes where the file has ", file.size() - 8,
                  " left: not a safetensors file, or cut short");
    data_ = file.substr(8 + length);
    const Json header = parse_json(file.substr(8, length), name_ + ": header",
                                   {.max_bytes = kMaxSafetensorsHeader, .max_depth = 4});
    TMOR_CHECK_IO(header.is_object(), name_, ": byte 8: the header is not a JSON object");
    for (const auto& [key, value] : header.items()) {
      const std::string where = name_ + ": header: " + key;
      if (key == "__metadata__") {
        TMOR_CHECK_IO(value.is_object(), where, ": an object expected");
        for (const auto& [k, v] : value.items()) metadata_[k] = json_as<std::string>(v, where + ": " + k);
      } else {
        tensors_.emplace(key, read_info(value, where));
      }
    }
    check_cover();
  }

  Info read_info(const Json& value, const std::string& where) const {
    Info i;
    i.dtype = detail::safetensors_dtype(json_at<std::string>(value, "dtype", where), where);
    const Json& shape = json_list(value, "shape", where);
    TMOR_CHECK_IO(shape.size() <= Shape::kMaxRank, where, ": more than 8 dimensions");
    for (const auto& s : shape) i.shape.push_back(json_as<Index>(s, where + ": shape"));
    const Json& offsets = json_list(value, "data_offsets", where);
    TMOR_CHECK_IO(offsets.size() == 2, where, ": data_offsets are not two numbers");
    i.begin = json_as<std::size_t>(offsets[0], where + ": data_offsets");
    i.end = json_as<std::size_t>(offsets[1], where + ": data_offsets");
    TMOR_CHECK_IO(i.begin <= i.end && i.end <= data_.size(), where, ": bytes ", i.begin, " to ", i.end,
                  " lie outside the data of ", data_.size(), " bytes: the file is damaged or cut short");
    const std::size_t size = checked_bytes(i.dtype, i.shape, where);
    TMOR_CHECK_IO(size == i.end - i.begin, where, ": ", i.end - i.begin, " bytes for the shape ", i.shape,
                  " of ", dtype_name(i.dtype), ", which takes ", size);
    return i;
  }
  static const Json& json_list(const Json& value, const char* key, const std::string& where) {
    TMOR_CHECK_IO(value.is_object() && value.contains(key) && value[key].is_array(), where, ": the list \"",
                  key, "\" is missing");
    return value[key];
  }

  void check_cover() const {
    std::vector<std::pair<std::size_t, std::size_t>> parts;
    for (const auto& [key, i] : tensors_) parts.emplace_back(i.begin, i.end);
    std::sort(parts.begin(), parts.end());
    std::size_t at = 0;
    for (const auto& [begin, end] : parts) {
      TMOR_CHECK_IO(begin == at, name_, ": the tensors ", begin > at ? "leave a hole" : "overlap",
                    " at byte ", at, " of the data");
      at = end;
    }
    TMOR_CHECK_IO(at == data_.size(), name_, ": the tensors end at byte ", at, " of the data, which has ",
                  data_.size());
  }

  std::string name_;
  MappedFile file_;
  std::string_view data_;
  std::map<std::string, Info> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// A tensor to be written; the memory stays the caller's.
struct SafeTensorView {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  const void* data = nullptr;  ///< row-major elements

  SafeTensorView(std::string n, DType t, const Shape& s, const void* p)
      : name(std::move(n)), dtype(t), shape(s), data(p) {}
  SafeTensorView(std::string n, const Array& a)
      : SafeTensorView(std::move(n), a.dtype(), a.shape(), a.data()) {}
};

/// Writes the tensors and `metadata` atomically. The same tensors give the same bytes whatever their order in
/// the list; the data start at a multiple of 64 bytes, and each tensor at a multiple of its element size.
/// @throws IoError; Error for a name that appears twice or is "__metadata__".
inline void write_safetensors(const std::string& path, std::vector<SafeTensorView> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::sort(tensors.begin(), tensors.end(), [](const SafeTensorView& a, const SafeTensorView& b) {
    const auto x = dtype_size(a.dtype), y = dtype_size(b.dtype);
    return x != y ? x > y : a.name < b.name;  // wide elements first: no element is misaligned
  });
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t at = 0;
  for (const auto& t : tensors) {
    TMOR_CHECK(t.name != "__metadata__" && !header.contains(t.name), "[safetensors] '", path, "': the name '",
               t.name, "' is used twice or reserved");
    const std::size_t end = at + checked_bytes(t.dtype, t.shape, t.name);
    Json& entry = header[t.name];
    entry["dtype"] = detail::kSafetensorsTypes[static_cast<int>(t.dtype)].name;
    entry["shape"] = std::vector<Index>(t.shape.begin(), t.shape.end());
    entry["data_offsets"] = {at, end};
    at = end;
  }
  std::string text = json_text(std::move(header));
  text.append((64 - (8 + text.size()) % 64) % 64, ' ');
  TMOR_CHECK(text.size() <= kMaxSafetensorsHeader, "[safetensors] '", path, "': the header would take ",
             text.size(), " bytes, more than the format's 100 MB");
  AtomicFile file(path);
  const std::uint64_t length = text.size();
  file.write(&length, 8);
  file.write(text);
  for (const auto& t : tensors) file.write(t.data, checked_bytes(t.dtype, t.shape, t.name));
  file.commit();
}

}  // namespace io
TMOR_END
