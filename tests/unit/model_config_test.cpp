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

TEST_CASE("Named configurations build, and every encoder is described") {
  for (const std::string& name : train::config_names()) {
    const auto c = train::named_config(name);
    CHECK(train::to_json(train::from_json<TriModalConfig>(train::to_json(c), name)) == train::to_json(c));
  }
  CHECK_THROWS_WITH_AS(train::named_config("smal"), "no configuration 'smal'; did you mean \"small\"?",
                       Error);
  Rng rng(1);
  const models::TriModal<> tiny(rng, train::named_config("tiny"));
  CHECK(parameter_count(tiny.skeleton) * 4 < 4 << 20);
  for (const std::string name : {"stgcn++", "ctrgcn", "dstformer"}) {
    auto c = train::from_json<models::SkeletonConfig>({{"encoder", name}}, "a", test::tiny_unik());
    CHECK(models::name_of(c) == name);
    CHECK(models::joints_of(c) == 4);
    models::set_layout(c, *joint_layout("penn13"));
    const auto j = train::to_json(c);
    CHECK(train::to_json(train::from_json<models::SkeletonConfig>(j, "b")) == j);
  }
}
