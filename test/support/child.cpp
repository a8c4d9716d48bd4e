#include "support/child.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <iostream>
#include <set>
#include <stdexcept>
#include <utility>

#include "support/sanitized.hpp"

namespace ashmemo::test {
namespace {

// A child that hangs ends itself, so that no process waits for it or for its open pipes for ever.
constexpr unsigned kSecondsOfLife = 60;
constexpr int kHung = 128 + SIGALRM;

// The sanitizers of GCC 12 and Clang 14 do not release the locks of their allocators in a forked
// child. If another thread holds such a lock during the fork, the child hangs, in any program. This
// happened once in 1,000 to 3,000 forks beside a thread that only allocates.
constexpr int kTries = kIsSanitized ? 3 : 1;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

// All pipe ends that the test has open. A forked child must close the ends of its siblings. If it
// kept the writing end of another program's input open, that program would never see the end of its
// input.
std::set<int>& open_ends() {
  static std::set<int> ends;
  return ends;
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot create a pipe");
  open_ends().insert({ends[0], ends[1]});
  return {ends[0], ends[1]};
}

void close_end(int* descriptor) {
  if (*descriptor < 0) return;
  open_ends().erase(*descriptor);
  ::close(*descriptor);
  *descriptor = -1;
}

std::string read_all(int descriptor) {
  std::string content;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

bool write_all(int descriptor, const std::string& content) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::write(descriptor, content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

bool read_turn(int descriptor) {
  char turn = 0;
  ssize_t count = 0;
  do {
    count = ::read(descriptor, &turn, 1);
  } while (count < 0 && errno == EINTR);
  return count == 1;
}

int wait_for_exit(pid_t* pid) {
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  *pid = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void kill_and_reap(pid_t* pid) {
  if (*pid < 0) return;
  ::kill(*pid, SIGKILL);
  wait_for_exit(pid);
}

// Forks; in the child only the pipe ends in `kept` stay open.
pid_t fork_keeping(const std::set<int>& kept) {
  // Otherwise both processes would print the buffered output.
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid > 0) return pid;
  for (const int end : open_ends()) {
    if (!kept.contains(end)) ::close(end);
  }
  return pid;
}

// If a child has died, a write to its pipe must return an error and not kill the test program.
void ignore_broken_pipes() { ::signal(SIGPIPE, SIG_IGN); }

// In the child. Calls `_exit`, so that no destructor and no exit handler of the test program runs
// twice.
template <class F>
[[noreturn]] void report_and_exit(int said, const F& work) {
  ::signal(SIGALRM, SIG_DFL);
  ::alarm(kSecondsOfLife);
  int code = 0;
  std::string words;
  try {
    words = work();
  } catch (const std::exception& error) {
    words = error.what();
    code = 1;
  } catch (...) {
    words = "an exception of an unknown type";
    code = 1;
  }
  write_all(said, words);
  ::_exit(code);
}

std::vector<char*> pointers_to(std::vector<std::string>* arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : *arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t start_program(std::vector<std::string> arguments, int input, int output) {
  std::vector<char*> pointers = pointers_to(&arguments);
  const pid_t pid = fork_keeping({input, output});
  if (pid > 0) return pid;
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::signal(SIGPIPE, SIG_DFL);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

ChildEnd try_in_child(const std::function<std::string()>& work) {
  Pipe said = make_pipe();
  pid_t pid = fork_keeping({said.write_end});
  if (pid == 0) report_and_exit(said.write_end, work);
  close_end(&said.write_end);
  ChildEnd end;
  end.said = read_all(said.read_end);
  end.exit_code = wait_for_exit(&pid);
  close_end(&said.read_end);
  return end;
}

}  // namespace

ChildEnd in_child(const std::function<std::string()>& work) {
  ChildEnd end = try_in_child(work);
  for (int tried = 1; tried < kTries && end.exit_code == kHung; ++tried) {
    std::fprintf(stderr, "a forked child hung; trying again\n");
    end = try_in_child(work);
  }
  return end;
}

bool is_root() { return ::geteuid() == 0; }

void drop_privileges() {
  if (!is_root()) return;
  constexpr uid_t kNobody = 65534;
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) {
    throw std::runtime_error("cannot drop the privileges");
  }
}

void Child::Parent::notify() { write_all(out_, "t"); }

void Child::Parent::wait_for() {
  if (!read_turn(in_)) ::_exit(0);
}

Child::Child(const std::function<std::string(Parent&)>& work) {
  ignore_broken_pipes();
  Pipe to_child = make_pipe();
  Pipe from_child = make_pipe();
  Pipe said = make_pipe();
  pid_ = fork_keeping({to_child.read_end, from_child.write_end, said.write_end});
  if (pid_ == 0) {
    Parent parent(to_child.read_end, from_child.write_end);
    report_and_exit(said.write_end, [&] { return work(parent); });
  }
  close_end(&to_child.read_end);
  close_end(&from_child.write_end);
  close_end(&said.write_end);
  turns_out_ = to_child.write_end;
  turns_in_ = from_child.read_end;
  said_in_ = said.read_end;
}

Child::~Child() {
  kill_and_reap(&pid_);
  close_end(&turns_in_);
  close_end(&turns_out_);
  close_end(&said_in_);
}

bool Child::wait_for() { return read_turn(turns_in_); }

void Child::notify() { write_all(turns_out_, "t"); }

ChildEnd Child::kill() {
  if (pid_ >= 0) ::kill(pid_, SIGKILL);
  return wait_for_end();
}

ChildEnd Child::wait_for_end() {
  ChildEnd end;
  end.said = read_all(said_in_);
  end.exit_code = pid_ < 0 ? 128 + SIGKILL : wait_for_exit(&pid_);
  return end;
}

ChildEnd run_program(const std::vector<std::string>& arguments) {
  Program program(arguments);
  return program.finish();
}

Program::Program(const std::vector<std::string>& arguments) {
  ignore_broken_pipes();
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  pid_ = start_program(arguments, input.read_end, output.write_end);
  close_end(&input.read_end);
  close_end(&output.write_end);
  in_ = output.read_end;
  out_ = input.write_end;
}

Program::~Program() {
  kill_and_reap(&pid_);
  close_end(&in_);
  close_end(&out_);
}

void Program::send(const std::string& line) {
  if (!write_all(out_, line + '\n')) throw std::runtime_error("the program has ended");
}

std::string Program::read_line() {
  std::string line;
  char next = 0;
  for (;;) {
    const ssize_t count = ::read(in_, &next, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || next == '\n') return line;
    line += next;
  }
}

ChildEnd Program::finish() {
  close_end(&out_);
  ChildEnd end;
  end.said = read_all(in_);
  end.exit_code = wait_for_exit(&pid_);
  return end;
}

}  // namespace ashmemo::test
