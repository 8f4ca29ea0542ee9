#pragma once
/// @file synth.hpp
/// A procedural generator of synchronized triplets: human motion, the video it is seen in, and captions.

#include "tmor/data/synth/set.hpp"
