// Copyright 2026 neuron_reach maintainers
// Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
// in compliance with the License. You may obtain a copy of the License at
// http://www.apache.org/licenses/LICENSE-2.0
// Unless required by applicable law or agreed to in writing, software distributed under the
// License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
// express or implied. See the License for the specific language governing permissions and
// limitations under the License.

// Gazebo plugin: joint PID control of the arms of a world, and time that waits for the driver.
//
// The driver, which starts gzserver, leaves it one end of a socket pair and its number in the
// environment variable NEURON_REACH_SOCKET. The world stands still until a request comes and is
// answered when the simulation has done what it asks for. A request is two 32-bit numbers, its kind
// and how many values follow, and the values (double). The answer to each is one block of doubles:
// simulated time, s; wall time that Gazebo has spent advancing, s; the angles of all joints, rad;
// their velocities, rad/s (arm after arm).
//
// When the driver closes its end or dies, gzserver ends.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <gazebo/common/Console.hh>
#include <gazebo/common/Events.hh>
#include <gazebo/common/PID.hh>
#include <gazebo/common/Plugin.hh>
#include <gazebo/physics/Joint.hh>
#include <gazebo/physics/JointController.hh>
#include <gazebo/physics/Link.hh>
#include <gazebo/physics/Model.hh>
#include <gazebo/physics/World.hh>

namespace
{

enum Kind : uint32_t
{
  STATE = 0,  // nothing: only the answer is wanted
  ADVANCE = 1,  // steps, target angle of every joint
  RESET = 2,    // angle of every joint: all arms are at rest there
  GAINS = 3,    // for each joint of an arm: p, i, d, limit of the integral share, effort limit
  GOALS = 4,    // x and z of the goal of every arm
};

[[noreturn]] void end(int code)
{
  _exit(code);  // other threads may be waiting for this one: no orderly end from here
}

void readAll(int file, void *data, size_t size)
{
  for (auto *place = static_cast<char *>(data); size > 0;) {
    const ssize_t count = read(file, place, size);
    if (count <= 0)
      end(0);
    place += count;
    size -= count;
  }
}

void writeAll(int file, const void *data, size_t size)
{
  for (auto *place = static_cast<const char *>(data); size > 0;) {
    const ssize_t count = write(file, place, size);
    if (count <= 0)
      end(0);
    place += count;
    size -= count;
  }
}

[[noreturn]] void refuse(const std::string &problem)
{
  gzerr << "neuron_reach: " << problem << "\n";
  end(1);
}

struct Joint
{
  gazebo::physics::JointPtr joint;
  gazebo::physics::JointControllerPtr controller;
  std::string name;
  gazebo::common::PID pid;
};

}  // namespace

class ArmsPlugin : public gazebo::WorldPlugin
{
public:
  void Load(gazebo::physics::WorldPtr world, sdf::ElementPtr) override
  {
    const char *number = std::getenv("NEURON_REACH_SOCKET");
    if (number == nullptr)
      refuse("no NEURON_REACH_SOCKET: this world is started by neuron_reach");
    this->socket = std::atoi(number);
    this->world = world;
    using gazebo::event::Events;
    this->begin = Events::ConnectWorldUpdateBegin([this](const auto &) { this->OnBegin(); });
    this->done = Events::ConnectWorldUpdateEnd([this]() { this->OnEnd(); });
  }

private:
  using Clock = std::chrono::steady_clock;

  void FindArms()
  {
    for (;; ++this->arms) {
      const auto model = this->world->ModelByName("arm_" + std::to_string(this->arms));
      if (!model)
        break;
      this->models.push_back(model);
      for (int joint = 1;; ++joint) {
        const auto found = model->GetJoint("joint_" + std::to_string(joint));
        if (!found)
          break;
        this->joints.push_back({found, model->GetJointController(), found->GetScopedName(), {}});
      }
    }
    if (this->joints.empty())
      refuse("the world has no model arm_0 with a joint joint_1");
  }

  void OnBegin()
  {
    if (this->models.empty()) {
      this->FindArms();
      this->Wait();
    }
  }

  // Time stands still at the end of a step, not at the beginning of one: what happens at the
  // beginning, such as the computation of friction, must see what a reset has changed.
  void OnEnd()
  {
    if (--this->steps > 0)
      return;
    this->busy += std::chrono::duration<double>(Clock::now() - this->started).count();
    this->Answer();
    this->Wait();
  }

  void Wait()
  {
    while (this->steps == 0)
      this->Serve();
  }

  void Serve()
  {
    uint32_t head[2];
    readAll(this->socket, head, sizeof(head));
    this->values.resize(head[1]);
    readAll(this->socket, this->values.data(), this->values.size() * sizeof(double));
    const size_t count = this->joints.size();
    switch (head[0]) {
      case STATE:
        break;
      case ADVANCE:
        this->Expect(1 + count);
        for (size_t i = 0; i < count; ++i) {
          const auto &joint = this->joints[i];
          joint.controller->SetPositionTarget(joint.name, this->values[1 + i]);
        }
        this->steps = static_cast<uint64_t>(this->values[0]);
        if (this->steps > 0) {
          this->started = Clock::now();
          return;  // answered when they are done
        }
        break;
      case RESET:
        this->Expect(count);
        this->Reset();
        break;
      case GAINS:
        this->Expect(5 * count / this->arms);
        this->SetGains();
        break;
      case GOALS:
        this->Expect(2 * this->arms);
        this->MoveGoals();
        break;
      default:
        refuse("unknown request " + std::to_string(head[0]));
    }
    this->Answer();
  }

  void Expect(size_t count) const
  {
    if (this->values.size() != count)
      refuse(
        std::to_string(this->values.size()) + " values, expected " + std::to_string(count));
  }

  void Reset()
  {
    for (const auto &model : this->models) {
      model->Reset();
      for (const auto &link : model->GetLinks())
        link->Reset();  // a model's reset leaves its links a little askew, as they have become
    }
    for (size_t i = 0; i < this->joints.size(); ++i) {
      auto &joint = this->joints[i];
      joint.joint->SetPosition(0, this->values[i]);
      // The controller would keep its integral otherwise.
      joint.controller->SetPositionPID(joint.name, joint.pid);
      joint.controller->SetPositionTarget(joint.name, this->values[i]);
    }
    for (const auto &model : this->models)
      model->ResetPhysicsStates();
  }

  void SetGains()
  {
    const size_t each = this->joints.size() / this->arms;
    for (size_t i = 0; i < this->joints.size(); ++i) {
      const double *gain = &this->values[5 * (i % each)];
      this->joints[i].pid.Init(gain[0], gain[1], gain[2], gain[3], -gain[3], gain[4], -gain[4]);
      this->joints[i].controller->SetPositionPID(this->joints[i].name, this->joints[i].pid);
    }
  }

  void MoveGoals()
  {
    for (size_t arm = 0; arm < this->arms; ++arm) {
      const auto goal = this->world->ModelByName("goal_" + std::to_string(arm));
      if (!goal)
        continue;
      const double y = this->models[arm]->WorldPose().Pos().Y();
      goal->SetWorldPose({this->values[2 * arm], y, this->values[2 * arm + 1], 0, 0, 0});
    }
  }

  void Answer()
  {
    this->values.assign({this->world->SimTime().Double(), this->busy});
    for (const auto &joint : this->joints)
      this->values.push_back(joint.joint->Position(0));
    for (const auto &joint : this->joints)
      this->values.push_back(joint.joint->GetVelocity(0));
    writeAll(this->socket, this->values.data(), this->values.size() * sizeof(double));
  }

  int socket = -1;
  gazebo::physics::WorldPtr world;
  gazebo::event::ConnectionPtr begin, done;
  size_t arms = 0;
  std::vector<gazebo::physics::ModelPtr> models;
  std::vector<Joint> joints;
  std::vector<double> values;
  uint64_t steps = 0;
  double busy = 0.0;
  Clock::time_point started;
};

GZ_REGISTER_WORLD_PLUGIN(ArmsPlugin)
