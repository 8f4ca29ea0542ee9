#include "common/texts.hpp"

#include <algorithm>

#include "tmor/eval/zero_shot.hpp"

namespace task {

tmor::models::TextBatch<> tokens_of(const std::vector<std::string>& texts, const tmor::BpeTokenizer& bpe,
                                    tmor::Index context) {
  using tmor::Index;
  std::vector<std::vector<tmor::BpeTokenizer::Token>> rows;
  std::vector<Index> last;
  Index longest = 1;
  for (const auto& t : texts) {
    rows.push_back(bpe.encode(t, context));
    const auto end = std::find(rows.back().begin(), rows.back().end(), tmor::BpeTokenizer::kEos);
    last.push_back(end - rows.back().begin());
    longest = std::max(longest, last.back() + 1);
  }
  std::vector<Index> ids;
  for (const auto& r : rows)
    for (Index i = 0; i < longest; ++i) ids.push_back(r[static_cast<std::size_t>(i)]);
  return {tmor::Tensor<Index>::from(ids, {std::ssize(texts), longest}), tmor::Tensor<Index>::from(last)};
}

tmor::Tensor<> embed_classes(const std::vector<std::vector<std::string>>& prompts_of,
                             const tmor::BpeTokenizer& bpe, tmor::Index context,
                             const std::function<tmor::Tensor<>(const tmor::models::TextBatch<>&)>& embed) {
  tmor::NoGrad guard;
  std::vector<tmor::Tensor<>> parts;
  std::vector<tmor::Index> class_of;
  for (std::size_t c = 0; c < prompts_of.size(); ++c) {
    parts.push_back(embed(tokens_of(prompts_of[c], bpe, context)));
    class_of.insert(class_of.end(), prompts_of[c].size(), static_cast<tmor::Index>(c));
  }
  return tmor::eval::class_embeddings(tmor::concat(parts, 0), class_of, std::ssize(prompts_of));
}

}  // namespace task
