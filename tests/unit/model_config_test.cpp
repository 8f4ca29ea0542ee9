#include "tmor/train/model_config.hpp"

#include <doctest/doctest.h>

#include "support/tiny_models.hpp"

using namespace tmor;
using models::TriModalConfig;

TEST_CASE("A model's configuration comes back from JSON whole") {
  auto c = test::tiny_tri_modal();
  c.loss.contrast = models::Contrast::siglip;
  c.video->class_token = false;
  const auto j = train::to_json(c);
  CHECK(j["skeleton"]["encoder"] == "unik");
  CHECK(j["loss"]["contrast"] == "siglip");
  const auto back = train::from_json<TriModalConfig>(io::parse_json(io::json_text(j), "text"), "text");
  CHECK(train::to_json(back) == j);
  c.video.reset();
  CHECK(train::to_json(c)["video"].is_null());
  CHECK_FALSE(train::from_json<TriModalConfig>(train::to_json(c), "text", back).video);
}

TEST_CASE("What a configuration leaves out keeps its default or the base's value") {
  const auto c = train::from_json<TriModalConfig>(io::parse_json(R"({"video": {"dim": 32}})", "a"), "a");
  CHECK(c.video->dim == 32);
  CHECK(c.video->frames == models::VideoConfig().frames);
  CHECK_FALSE(c.text);
  const auto over = train::from_json(io::parse_json(R"({"loss": {"frame": 1}})", "a"), "a", c);
  CHECK(over.video->dim == 32);
  CHECK(over.loss.frame == 1);
}

TEST_CASE("Unknown settings, absurd sizes and wrong types are errors that name the place") {
  const auto error = [](const char* text) -> std::string {
    try {
      train::from_json<TriModalConfig>(io::parse_json(text, "a"), "a.json");
    } catch (const IoError& e) {
      return e.what();
    }
    return "";
  };
  CHECK(error(R"({"vidoe": {}})") == "a.json: there is no setting \"vidoe\"; did you mean \"video\"?");
  CHECK(error(R"({"video": {"dims": 3}})") ==
        "a.json: video: there is no setting \"dims\"; did you mean \"dim\"?");
  CHECK(error(R"({"skeleton": {"encoder": "unick"}})") ==
        "a.json: skeleton: encoder is \"unick\"; did you mean \"unik\"?");
  CHECK(error(R"({"video": {"dim": 0}})") == "a.json: video: dim is 0, want 1 to 16384");
  CHECK(error(R"({"video": {"dropout": 1}})") != "");
  CHECK(error(R"({"video": {"dim": 2.5}})") != "");
  CHECK(error(R"({"video": 3})") != "");
  CHECK(error(R"({"skeleton": {"stages": []}})") != "");
  CHECK(error(R"({"skeleton": {"stages": [{"channels": 8, "strid": 2}]}})") ==
        "a.json: skeleton: stages[0]: there is no setting \"strid\"; did you mean \"stride\"?");
  CHECK(error("[]") != "");
}
