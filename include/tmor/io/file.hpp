#pragma once
/// @file file.hpp
/// Files whole: reading with a size cap, read-only mapping, and writing that cannot leave half a file behind.

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "tmor/core/error.hpp"

TMOR_BEGIN
namespace io {

/// Default cap on the size of a file read into memory: 4 GiB.
inline constexpr std::size_t kMaxFileBytes = std::size_t{4} << 30;

struct FileInfo {
  std::size_t size = 0;  ///< bytes; 0 for a directory
  bool is_directory = false;
};

namespace detail {

using tmor::detail::cat;
using tmor::detail::fail;

inline const char* remedy(int error) {
  switch (error) {
    case ENOENT:
      return "check the path: the file or one of its folders does not exist";
    case EACCES:
    case EPERM:
      return "check the permissions of the file and of its folder";
    case ENOSPC:
    case EDQUOT:
      return "free some disk space or choose another folder; an older file of that name is untouched";
    case EFBIG:
      return "the file system or a limit (ulimit -f) allows no larger file; an older one is untouched";
    case EROFS:
      return "the file system is read-only: choose another folder";
    case EISDIR:
      return "this is a directory: name a file in it";
    case ENOTDIR:
      return "a part of the path is a file, not a directory";
    case EMFILE:
    case ENFILE:
      return "too many files are open: raise the limit (ulimit -n)";
    default:
      return "check the disk and the path";
  }
}

/// Throws IoError "cannot <what> '<path>': <reason> (<remedy>)" for a value of `errno`.
[[noreturn]] inline void fail_errno(const char* what, const std::string& path, int error) {
  fail<IoError>("cannot ", what, " '", path, "': ", std::generic_category().message(error), " (",
                remedy(error), ")");
}

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  /// Result of close(2), which is where some file systems report a full disk.
  int close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

inline Descriptor open_for_reading(const std::string& path, struct stat& st) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0 || ::fstat(fd.get(), &st) != 0) fail_errno("open", path, errno);
  if (S_ISDIR(st.st_mode)) fail_errno("read", path, EISDIR);
  return fd;
}

inline void check_size(const std::string& path, std::size_t size, std::size_t cap) {
  TMOR_CHECK_IO(size <= cap, "'", path, "' holds ", size, " bytes, more than the cap of ", cap,
                ": is it the right file? If so raise the cap");
}

inline std::string parent_directory(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace detail

inline bool exists(const std::string& path) {
  struct stat st;
  return ::stat(path.c_str(), &st) == 0;
}

/// @throws IoError when `path` cannot be examined.
inline FileInfo file_info(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) detail::fail_errno("examine", path, errno);
  const bool dir = S_ISDIR(st.st_mode);
  return {dir ? 0 : static_cast<std::size_t>(st.st_size), dir};
}

/// Names (without "." and "..") in a directory, sorted by byte value.
/// @throws IoError when it cannot be read.
inline std::vector<std::string> list_directory(const std::string& path) {
  DIR* dir = ::opendir(path.c_str());
  if (!dir) detail::fail_errno("list", path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* e = ::readdir(dir)) {
    const std::string_view name = e->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  ::closedir(dir);
  if (error) detail::fail_errno("list", path, error);
  std::sort(names.begin(), names.end());
  return names;
}

/// Creates `path` and the folders above it where missing.
/// @throws IoError when one cannot be created.
inline void make_directories(const std::string& path) {
  for (std::size_t slash = 0; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0777) == 0) continue;
    const int error = errno;
    struct stat st;
    if (::stat(part.c_str(), &st) != 0) detail::fail_errno("create the directory", part, error);
    if (!S_ISDIR(st.st_mode)) detail::fail_errno("create the directory", part, ENOTDIR);
  }
}

/// The whole file as bytes; also reads pipes and the like, whose size is not known beforehand.
/// @throws IoError when it cannot be read or is larger than `cap` (checked before memory is taken).
inline std::string read_file(const std::string& path, std::size_t cap = kMaxFileBytes) {
  struct stat st;
  const auto fd = detail::open_for_reading(path, st);
  const bool regular = S_ISREG(st.st_mode);
  if (regular) detail::check_size(path, static_cast<std::size_t>(st.st_size), cap);
  std::string out;
  out.resize(regular ? static_cast<std::size_t>(st.st_size) + 1 : 4096);  // + 1: the end shows in one read
  for (std::size_t n = 0;;) {
    const auto got = ::read(fd.get(), out.data() + n, out.size() - n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) detail::fail_errno("read", path, errno);
    if (got == 0) {
      out.resize(n);
      return out;
    }
    n += static_cast<std::size_t>(got);
    detail::check_size(path, n, cap);
    if (n == out.size()) out.resize(2 * n);
  }
}

/// A file mapped read-only, so that a large one costs only the pages that are touched. Not for files that
/// another program shortens meanwhile (that is a SIGBUS); files replaced by `write_atomic` are safe.
class MappedFile {
 public:
  MappedFile() = default;
  /// @throws IoError when the file cannot be opened or mapped, or is larger than `cap`.
  explicit MappedFile(const std::string& path, std::size_t cap = std::size_t{1} << 46) {
    struct stat st;
    const auto fd = detail::open_for_reading(path, st);
    size_ = static_cast<std::size_t>(st.st_size);
    detail::check_size(path, size_, cap);
    if (size_ == 0) return;
    void* p = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (p == MAP_FAILED) detail::fail_errno("map", path, errno);
    data_ = static_cast<const char*>(p);
  }
  MappedFile(MappedFile&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}
  MappedFile& operator=(MappedFile&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~MappedFile() {
    if (data_) ::munmap(const_cast<char*>(data_), size_);
  }
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A file that appears under its name complete or not at all: bytes go to a temporary name in the same
/// directory; `commit()` flushes them to the disk, renames, and flushes the directory. Destroyed without
/// `commit()`, it leaves no trace and an older file of the name stays as it was. A symbolic link is followed,
/// and the permissions of an older file are kept.
class AtomicFile {
 public:
  /// @throws IoError when the directory cannot be written.
  explicit AtomicFile(const std::string& path) : path_(path) {
    if (char* real = ::realpath(path.c_str(), nullptr)) {
      path_ = real;
      std::free(real);
    }
    struct stat st;
    const bool old = ::stat(path_.c_str(), &st) == 0;
    if (old && S_ISDIR(st.st_mode)) detail::fail_errno("write", path_, EISDIR);
    static std::atomic<unsigned> counter{0};
    int fd = -1;
    do {  // a leftover of a killed process with the same id may hold a name
      temporary_ = detail::cat(path_, ".tmp.", ::getpid(), ".", counter++);
      fd = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    if (fd < 0) detail::fail_errno("write", path_, errno);
    fd_ = detail::Descriptor(fd);
    if (old) (void)!::fchmod(fd, st.st_mode & 07777);  // best effort: the bytes matter more
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Appends. @throws IoError naming the file and the remedy, for instance when the disk is full.
  void write(const void* data, std::size_t n) {
    for (const char* p = static_cast<const char*>(data); n > 0;) {
      const auto put = ::write(fd_.get(), p, std::min(n, std::size_t{1} << 30));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) detail::fail_errno("write", path_, errno);
      p += put;
      n -= static_cast<std::size_t>(put);
    }
  }
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }

  /// Makes the file appear. Once; nothing may be written afterwards. @throws IoError
  void commit() {
    if (::fsync(fd_.get()) != 0 && errno != EINVAL) detail::fail_errno("flush", path_, errno);
    if (fd_.close() != 0) detail::fail_errno("close", path_, errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) detail::fail_errno("rename to", path_, errno);
    committed_ = true;
    const detail::Descriptor dir(::open(detail::parent_directory(path_).c_str(), O_RDONLY | O_CLOEXEC));
    // A folder that may be written but not read cannot be flushed: the file is there all the same.
    if (dir.get() >= 0 && ::fsync(dir.get()) != 0 && errno != EINVAL) {
      detail::fail_errno("flush the directory of", path_, errno);
    }
  }

 private:
  std::string path_, temporary_;
  detail::Descriptor fd_;
  bool committed_ = false;
};

/// Writes `bytes` to `path` so that it holds either the old content or all of the new. @throws IoError
inline void write_atomic(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace io
TMOR_END
