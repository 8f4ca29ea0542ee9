#pragma once
/// Texts as the text tower reads them, and classes as the mean of what is said of them.

#include <functional>
#include <string>
#include <vector>

#include "tmor/models/skeleton_text.hpp"
#include "tmor/text/bpe.hpp"

namespace task {

/// Token ids of texts, cut to the longest.
tmor::models::TextBatch<> tokens_of(const std::vector<std::string>& texts, const tmor::BpeTokenizer& bpe,
                                    tmor::Index context);

/// Unit embeddings (classes, D), each the mean of those of a class's prompts. `embed(batch)` is the text
/// tower.
tmor::Tensor<> embed_classes(const std::vector<std::vector<std::string>>& prompts_of,
                             const tmor::BpeTokenizer& bpe, tmor::Index context,
                             const std::function<tmor::Tensor<>(const tmor::models::TextBatch<>&)>& embed);

}  // namespace task
