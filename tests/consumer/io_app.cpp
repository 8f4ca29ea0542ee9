// Links tmor::io and tmor::linalg besides: the parts over zlib, nlohmann/json and Eigen.
#include "tmor/io/inflate.hpp"
#include "tmor/io/json.hpp"
#if __has_include("tmor/core/linalg.hpp")
#include "tmor/core/linalg.hpp"
#endif

int main() {
  try {
    (void)tmor::io::inflate("not deflate", 100, tmor::io::Wrapper::zlib);
  } catch (const tmor::IoError&) {
    return 0;
  }
  return 1;
}
