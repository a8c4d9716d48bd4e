#include "support/fake_engine.hpp"

#include <algorithm>

namespace ashmemo::test {

namespace {

/// Adds the clock and the hooks of a FakeEngine, unless the test has set its own.
Options completed(Options options, const std::shared_ptr<Recorded>& recorded,
                  const std::shared_ptr<ManualClock>& clock) {
  Hooks& hooks = options.hooks;
  if (!hooks.clock) hooks.clock = clock;
  if (!hooks.on_error) {
    hooks.on_error = [recorded](const Notice& notice) { recorded->notices.push_back(notice); };
  }
  return options;
}

class TextSink final : public engine::ValueSink {
 public:
  bool take(std::size_t, Freshness, ValueView value) override {
    if (value.type() != ValueType::text) return false;
    text = std::string(value.bytes());
    return true;
  }
  [[nodiscard]] bool in_place(std::size_t) const noexcept override { return true; }

  std::optional<std::string> text;
};

}  // namespace

int Recorded::count(NoticeKind kind) const {
  return static_cast<int>(std::count_if(notices.begin(), notices.end(),
                                        [kind](const Notice& n) { return n.kind == kind; }));
}

Options FakeEngine::manual() {
  Options options;
  options.limits.max_bytes = unlimited;
  options.hooks.worker = WorkerMode::manual;
  options.timing.max_wait = std::chrono::milliseconds(1);
  options.timing.close_wait = Duration();
  return options;
}

FakeEngine::FakeEngine(Options options, const std::string& path)
    : FakeEngine(std::move(options), path, std::make_shared<Recorded>(),
                 std::make_shared<ManualClock>()) {}

FakeEngine::FakeEngine(Options options, const std::string& path, std::shared_ptr<Recorded> hears,
                       std::shared_ptr<ManualClock> time)
    : recorded(std::move(hears)),
      clock(std::move(time)),
      file(std::make_shared<FakeFile>()),
      faults(std::make_shared<Faults>()),
      engine(path, completed(std::move(options), recorded, clock)),
      worker(engine) {
  engine.worker = &worker;
  engine.open_store = [this](const store::OpenOptions&) {
    return base::Result(make_faulty(open_fake_store(file), faults));
  };
}

FakeEngine::~FakeEngine() {
  faults->heal();
  close();
}

void FakeEngine::close() {
  if (!engine.closed.exchange(true)) worker.stop();
}

std::size_t FakeEngine::put(std::string_view key, std::string_view value,
                            engine::Lifetimes lifetimes) {
  engine::NewEntry entry{key, Value::text(std::string(value)), lifetimes, 0, {}, 0};
  return engine::put(engine, std::span(&entry, 1));
}

std::size_t FakeEngine::put_all(const std::vector<std::string>& keys, std::string_view value) {
  std::vector<engine::NewEntry> entries;
  entries.reserve(keys.size());
  for (const std::string& key : keys) {
    entries.push_back({key, Value::text(std::string(value)), {}, 0, {}, 0});
  }
  return engine::put(engine, entries);
}

std::size_t FakeEngine::erase(std::string_view key) {
  return engine::erase(engine, std::span(&key, 1));
}

std::optional<std::string> FakeEngine::get(std::string_view key) {
  const engine::Query query{.key = key};
  TextSink sink;
  engine::Answer answer;
  const std::int64_t now = engine::read(engine, std::span(&query, 1), sink, std::span(&answer, 1));
  engine::record_answers(engine, std::span(&query, 1), std::span(&answer, 1), now);
  return sink.text;
}

engine::Answer FakeEngine::ask(const engine::Query& query) {
  TextSink sink;
  engine::Answer answer;
  engine::read(engine, std::span(&query, 1), sink, std::span(&answer, 1));
  return answer;
}

HealthState FakeEngine::health() const {
  Health health;
  engine.health.fill(&health);
  return health.state;
}

engine::RangePtr FakeEngine::queue_removal(std::string_view prefix) {
  auto range = std::make_shared<engine::Range>();
  range->kind = prefix.empty() ? engine::Range::Kind::erase_all : engine::Range::Kind::erase_prefix;
  range->prefix = prefix;
  (void)engine::queue_range(engine, range);
  return range;
}

engine::WritePtr text_write(std::string_view key, std::string_view text, std::int64_t byte_size) {
  store::EntryView entry;
  entry.value = ValueView::text(text);
  return engine::Write::put(key, entry, byte_size);
}

engine::WritePtr removal(std::string_view key) {
  return engine::Write::removal(key, RemovalCause::erased);
}

std::vector<std::string> numbered(std::string_view base, int count) {
  const std::size_t digits = std::to_string(count).size();
  std::vector<std::string> out;
  for (int i = 1; i <= count; ++i) {
    const std::string number = std::to_string(i);
    out.push_back(std::string(base) + std::string(digits - number.size(), '0') + number);
  }
  return out;
}

}  // namespace ashmemo::test
