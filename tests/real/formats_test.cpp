// Every real file in a format that we read is read, and some hold what is known of them.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "../support/files.hpp"
#include "tmor/io/csv.hpp"
#include "tmor/io/json.hpp"
#include "tmor/io/mat5.hpp"
#include "tmor/io/npz.hpp"

using namespace tmor;

TEST_CASE("real: every file of a known format is read") {
  const auto root = test::real_data("README.md");
  if (root.empty()) return;
  std::map<std::string, int> read;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::filesystem::path(root).parent_path())) {
    const std::string path = entry.path().string(), kind = entry.path().extension().string();
    CAPTURE(path);
    const auto one = [&] {
      if (kind == ".mat") return !io::read_mat5(path).empty();
      if (kind == ".npz") return !io::read_npz(path).empty();
      if (kind == ".npy") return io::read_npy(path).numel() > 0;
      if (kind == ".json") return !io::read_json(path).empty();
      return !io::read_csv(path).rows.empty();
    };
    if (kind != ".mat" && kind != ".npz" && kind != ".npy" && kind != ".json" && kind != ".csv") continue;
    CHECK_NOTHROW(CHECK(one()));
    ++read[kind];
  }
  CHECK(read.size() == 5);
}

TEST_CASE("real: arrays and annotations have the known sizes") {
  if (const auto path = test::real_data("toyota_smarthome/WatchTV_p02_r03_v05_c05_LCRNet2d.npz");
      !path.empty()) {
    const auto kpts = io::Npz(path).array("kpts");
    CHECK(kpts.dtype() == DType::f32);
    CHECK(kpts.shape()[1] == 17);
    CHECK(kpts.shape()[2] == 2);
  }
  if (const auto path = test::real_data("charades/charades.json"); !path.empty()) {
    CHECK(io::read_json(path).size() == 9848);
  }
  if (const auto path = test::real_data("utkinect/action_names.mat"); !path.empty()) {
    const auto m = io::read_mat5(path);
    REQUIRE(m.at("action_names").cells.size() == 10);
    CHECK(m.at("action_names").cells[0].text == "walk");
  }
}
