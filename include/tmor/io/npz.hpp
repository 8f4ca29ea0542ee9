#pragma once
/// @file npz.hpp
/// NumPy's .npz: a zip archive of .npy members. Reads np.savez and np.savez_compressed; writes stored
/// members.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/io/npy.hpp"
#include "tmor/io/zip.hpp"

TMOR_BEGIN
namespace io {

/// An opened .npz; arrays are read when asked for, so that one of an unreadable type harms no other.
class Npz {
 public:
  /// Maps the file. @throws IoError when it is not a readable zip archive.
  explicit Npz(const std::string& path) : path_(path), file_(path), zip_(file_.bytes(), path) {}
  /// Reads from `bytes`, which the caller keeps alive; `name` is named in errors.
  Npz(std::string_view bytes, std::string name) : path_(name), zip_(bytes, std::move(name)) {}

  /// Names of the arrays, without ".npy", in the file's order.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& e : zip_.entries()) {
      if (e.name.ends_with(".npy")) out.push_back(e.name.substr(0, e.name.size() - 4));
    }
    return out;
  }
  bool contains(const std::string& name) const { return zip_.contains(name + ".npy"); }

  /// @throws IoError when there is no such array, it is damaged, or takes more than `cap` bytes.
  Array array(const std::string& name, std::size_t cap = kMaxFileBytes) const {
    return parse_npy(zip_.extract(name + ".npy", cap), path_ + ": " + name + ".npy", cap);
  }

 private:
  std::string path_;
  MappedFile file_;
  ZipReader zip_;
};

/// All arrays of a .npz by name. @throws IoError when any cannot be read (`Npz` reads them one by one).
inline std::map<std::string, Array> read_npz(const std::string& path) {
  const Npz npz(path);
  std::map<std::string, Array> out;
  for (const auto& name : npz.names()) out.emplace(name, npz.array(name));
  return out;
}

/// Writes the arrays, stored, atomically; the same arrays give the same bytes.
/// @throws IoError; Error for bf16 or more than 4 GiB.
inline void write_npz(const std::string& path, const std::map<std::string, Array>& arrays) {
  ZipWriter zip(path);
  for (const auto& [name, a] : arrays) {
    zip.add(name + ".npy", {npy_header(a), {reinterpret_cast<const char*>(a.data()), a.bytes()}});
  }
  zip.commit();
}

}  // namespace io
TMOR_END
