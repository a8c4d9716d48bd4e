#include <doctest/doctest.h>
#include <algorithm>
#include <ashmemo/calculation.hpp>
#include <concepts>
#include <deque>
#include <filesystem>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "blog_fixture.hpp"

using ashmemo::Records;
using ashmemo::detail::PageOf;
using ashmemo::detail::pointers_to;
using ashmemo::detail::RecordOf;
using ashmemo::test::Post;

namespace {

struct Featured : Post {};
struct Hidden : private Post {};
struct Converts {
  operator Post() const { return {}; }
};
using Path = std::filesystem::path;

// A record has exactly the type or is derived from it.
static_assert(RecordOf<Post, Post> && RecordOf<const Post&, Post> && RecordOf<Featured&, Post>);
static_assert(RecordOf<int, int> && !RecordOf<long, int>);
static_assert(!RecordOf<Hidden, Post> && !RecordOf<Converts, Post> && !RecordOf<Post*, Post>);

// A page is a range of records or of pointers to records.
static_assert(PageOf<std::vector<Post>, Post> && PageOf<const std::deque<Featured>&, Post>);
static_assert(PageOf<Post (&)[3], Post> && PageOf<const Post* (&)[3], Post>);
static_assert(PageOf<std::vector<std::shared_ptr<const Post>>, Post>);
static_assert(PageOf<std::vector<std::unique_ptr<Featured>>, Post>);
static_assert(PageOf<std::list<std::optional<Post>>, Post> && PageOf<std::vector<Post*>, Post>);
static_assert(!PageOf<Post, Post> && !PageOf<std::vector<Converts>, Post>);
static_assert(!PageOf<std::vector<std::string>, Post> && !PageOf<std::map<int, Post>, Post>);
static_assert(!PageOf<std::vector<std::vector<Post>>, Post> && !PageOf<int, Post>);

// A path is a range and also converts from ranges. It counts as a record, and only a range of paths
// counts as a page.
static_assert(PageOf<std::vector<Path>, Path> && !PageOf<Path, Path> && RecordOf<Path, Path>);
static_assert(!RecordOf<std::vector<Path>, Path> && std::convertible_to<std::string, Path>);

static_assert(std::random_access_iterator<Records<Post>::Iterator>);
static_assert(!std::is_assignable_v<decltype(*std::declval<Records<Post>>().begin()), Post>);

/// A range that returns each element once, as a stream does, by reference or by pointer.
template <class Element>
class OneShot {
 public:
  explicit OneShot(std::vector<Post>& posts) : posts_(posts) {}
  struct Iterator {
    using iterator_category = std::input_iterator_tag;
    using value_type = Post;
    using difference_type = std::ptrdiff_t;
    using pointer = Post*;
    using reference = Element;
    OneShot* source;
    Element operator*() const {
      Post& post = source->posts_[source->at_];
      if constexpr (std::is_pointer_v<Element>) {
        return &post;
      } else {
        return post;
      }
    }
    Iterator& operator++() { return ++source->at_, *this; }
    bool operator!=(int) const { return source->at_ < source->posts_.size(); }
  };
  Iterator begin() { return {this}; }
  int end() { return 0; }

 private:
  std::vector<Post>& posts_;
  std::size_t at_ = 0;
};
// A stream may return references to one object that it reuses, so only a stream of pointers is a
// page.
static_assert(PageOf<OneShot<const Post*>, Post> && !PageOf<OneShot<Post&>, Post>);

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a batch gives sequential and random access to constant records") {
    const std::vector<Post> page = ashmemo::test::posts_up_to(4);
    const std::vector<const Post*> pointers = pointers_to<Post>(page);
    const Records<Post> batch{std::span(pointers)};
    CHECK(batch.size() == 4);
    CHECK_FALSE(batch.empty());
    CHECK(&batch[2] == &page[2]);
    CHECK(&*batch.begin() == &page[0]);
    CHECK(batch.begin()->id == 1);
    CHECK(batch.end() - batch.begin() == 4);
    CHECK((batch.begin() + 3)->id == 4);
    CHECK((batch.end() - 1)->id == 4);
    CHECK(batch.begin()[1].id == 2);
    CHECK(batch.begin() < batch.end());
    std::int64_t sum = 0;
    for (const Post& post : batch) sum += post.id;
    CHECK(sum == 10);
    const auto at = std::lower_bound(batch.begin(), batch.end(), 3,
                                     [](const Post& post, int id) { return post.id < id; });
    CHECK(at->id == 3);
    CHECK(Records<Post>({}).empty());
  }

  TEST_CASE("pointers_to returns the caller's own objects for every kind of page") {
    std::vector<Post> page = ashmemo::test::posts_up_to(3);
    const std::vector<const Post*> expected{&page[0], &page[1], &page[2]};
    CHECK(pointers_to<Post>(page) == expected);
    const std::vector<Post*> raw{&page[0], &page[1], &page[2]};
    CHECK(pointers_to<Post>(raw) == expected);
    std::vector<std::shared_ptr<Featured>> shared{std::make_shared<Featured>()};
    CHECK(pointers_to<Post>(shared) == std::vector<const Post*>{shared[0].get()});
    std::deque<std::optional<Post>> optionals{page[1]};
    CHECK(pointers_to<Post>(optionals) == std::vector<const Post*>{&*optionals[0]});
    std::set<const Post*> unsized_range(raw.begin(), raw.end());
    CHECK(pointers_to<Post>(unsized_range).size() == 3);
    const std::vector<Post> none;
    CHECK(pointers_to<Post>(none).empty());
  }

  TEST_CASE("pointers_to reads a page only once, so a page can be a stream") {
    std::vector<Post> page = ashmemo::test::posts_up_to(3);
    OneShot<const Post*> stream(page);
    const std::vector<const Post*> got = pointers_to<Post>(stream);
    CHECK(got == std::vector<const Post*>{&page[0], &page[1], &page[2]});
  }

  TEST_CASE("an empty pointer or optional in a page is misuse and the error contains its index") {
    const Post post;
    const std::vector<const Post*> pointers{&post, &post, nullptr};
    const auto misuse = static_cast<int>(ashmemo::ErrorCode::misuse);
    const auto use = [](const auto& page) { return [&] { (void)pointers_to<Post>(page); }; };
    CHECK(ashmemo::test::error_code_of(use(pointers)) == misuse);
    CHECK(ashmemo::test::contains(ashmemo::test::error_of(use(pointers)), "record 2"));
    const std::vector<std::optional<Post>> optionals{std::nullopt, post};
    CHECK(ashmemo::test::contains(ashmemo::test::error_of(use(optionals)), "record 0"));
    const std::vector<std::shared_ptr<Post>> shared(1);
    CHECK(ashmemo::test::contains(ashmemo::test::error_of(use(shared)), "record 0"));
  }
}
