# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Builds and installs the package; pip and colcon both run this."""

import subprocess
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PACKAGE = 'neuron_reach'
SHARED = ('config', 'launch', 'rviz', 'urdf', 'worlds')


def files(folder: str) -> list[str]:
    """Return the files right in a folder."""
    return sorted(str(path) for path in Path(folder).iterdir() if path.is_file())


class BuildWithRevision(build_py):
    """Leaves the commit that is installed with the package; results of studies record it."""

    def run(self) -> None:
        """Build, then ask git, if this is a checkout or a copy within one."""
        super().run()
        git = ['git', '-C', str(Path(__file__).resolve().parent)]
        try:
            top, revision = (
                subprocess.run([*git, *ask], capture_output=True, text=True, check=True).stdout
                for ask in (
                    ['rev-parse', '--show-toplevel'],
                    ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'],
                )
            )
        except (OSError, subprocess.CalledProcessError):
            return
        built = Path(self.build_lib, PACKAGE)
        if Path(top.strip(), PACKAGE).is_dir() and built.is_dir():  # else it is of another project
            built.joinpath('revision').write_text(revision)


setup(
    name=PACKAGE,
    cmdclass={'build_py': BuildWithRevision},
    version='0.1.0',
    description='Record, prune and map the networks of robot policies, on ROS 2 and without',
    long_description=Path(__file__).resolve().with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    author='neuron_reach maintainers',
    author_email='maintainers@neuron-reach.example',
    maintainer='neuron_reach maintainers',
    maintainer_email='maintainers@neuron-reach.example',
    url='https://neuron-reach.example',
    project_urls={
        'Repository': 'https://neuron-reach.example/neuron_reach',
        'Bug Tracker': 'https://neuron-reach.example/neuron_reach/issues',
    },
    keywords=[
        'activation analysis',
        'deep q-learning',
        'gymnasium',
        'network pruning',
        'onnx',
        'reinforcement learning',
        'robotics',
        'ros2',
        'stable-baselines3',
    ],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 15)),
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Typing :: Typed',
    ],
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    python_requires='>=3.10',
    # PyTorch is left out on purpose: pip would fetch its CUDA build, several gigabytes.
    install_requires=[
        'backports.zstd; python_version < "3.14"',
        'gymnasium>=1.0',
        'lz4',
        'matplotlib',
        'numba',
        'numpy>=1.21',
        'pillow',
        'pyyaml',
        'rosbags>=0.11,<0.12',
        'safetensors',
        'scipy>=1.8',
        'threadpoolctl',
        'tqdm',
        'xacro',
    ],
    package_data={
        PACKAGE: ['py.typed'],
        f'{PACKAGE}.gazebo': ['plugin/*.cc'],
        f'{PACKAGE}.study': ['paper.yaml'],
    },
    extras_require={
        'cluster': ['distributed'],
        # A whole ROS 2, as far as the nodes need one, for machines without an installed one.
        'ros': [
            'ros-ament-index-python',
            'ros-diagnostic-msgs',
            'ros-geometry-msgs',
            'ros-rclpy[fastrtps]',
            'ros-rosgraph-msgs',
            'ros-sensor-msgs',
            'ros-std-msgs',
            'ros-std-srvs',
            'ros-visualization-msgs',
        ],
        'mutation': ['cosmic-ray>=8.7,<9'],
        'onnx': ['onnx'],
        # Training on by the library a policy came from, and the environments of the examples.
        'sb3': ['gymnasium[box2d]', 'sb3-contrib', 'stable-baselines3'],
        'test': [
            'distributed',
            'gymnasium[box2d]',
            'hypothesis',
            'mypy',
            'onnx',
            'onnxruntime',
            'pandas',
            'pytest',
            'ruff',
            'sb3-contrib',
            'scikit-learn',
            'stable-baselines3',
            'tensorboard',
            'yourdfpy',
        ],
    },
    entry_points={'console_scripts': [f'{PACKAGE} = {PACKAGE}.cli:main']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *((f'share/{PACKAGE}/{folder}', files(folder)) for folder in SHARED),
        # Where `ros2 run` and `ros2 launch` look for the nodes. As data, because of the two
        # installers only colcon can be told to put entry points there.
        (f'lib/{PACKAGE}', files('scripts')),
    ],
    zip_safe=False,
)
