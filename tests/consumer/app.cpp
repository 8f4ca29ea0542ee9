// What a user's program looks like: nothing here but the public header.
#if __has_include("tmor/tmor.hpp")
#include "tmor/tmor.hpp"
#else
#include "tmor/core/error.hpp"
#endif

#include <cstdio>

int main() {
  try {
    TMOR_CHECK_SHAPE(1 + 1 == 3, "consumer: version ", TMOR_VERSION_STRING, " on ", tmor::kIsa);
  } catch (const tmor::Error& e) {
    std::puts(e.what());
    return 0;
  }
  return 1;
}
