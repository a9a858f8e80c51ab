"""Makes torch-*.onnx, torch-external.bin and torch.json in the folder it is run in.

PyTorch 1.13 and onnx 1.12 made the files that are here (Debian 12: python3-torch,
python3-onnx). torch.json holds, for every model, samples x, and from PyTorch in
float64 the outputs f(x) and, by autograd, the moments
sum_W = (1/n) sum_i sum_outputs sum_parameters g^{2k}, and sum_x for the inputs,
of the parameters that the file has.
"""
import copy
import json

import onnx
import torch
from torch import nn


class Block(nn.Module):
    """A residual block with two convolutions."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return torch.relu(self.body(x) + x)


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), Block(4), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def mlp():
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 7, bias=False), nn.Tanh(), nn.Linear(7, 3))


def fused(model):
    """The model with every batch normalisation in the convolution in front of it."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        names = list(parent._modules)
        for a, b in zip(names, names[1:]):
            if isinstance(parent._modules[b], nn.BatchNorm2d):
                parent._modules[a] = nn.utils.fusion.fuse_conv_bn_eval(parent._modules[a], parent._modules[b])
                parent._modules[b] = nn.Identity()
    return model


def reference(model, x):
    """Outputs and moments in float64 of a model with parameters in float32."""
    model, x = copy.deepcopy(model).double(), x.double()
    sums = {k: {"sum_W": 0.0, "sum_x": 0.0} for k in (1, 2, 3)}
    outputs = []
    for sample in x:
        sample = sample[None].requires_grad_()
        f = model(sample)[0]
        outputs.append(f.tolist())
        for c in range(len(f)):
            *by_w, by_x = torch.autograd.grad(f[c], [*model.parameters(), sample], retain_graph=True)
            for k, s in sums.items():
                s["sum_W"] += sum((g ** (2 * k)).sum().item() for g in by_w) / len(x)
                s["sum_x"] += (by_x ** (2 * k)).sum().item() / len(x)
    return {"shape": list(x.shape[1:]), "x": x.flatten(1).tolist(), "outputs": outputs, "moments": sums}


def export(model, x, name, **options):
    torch.onnx.export(model, (x[:1],), name, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}}, **options)


torch.manual_seed(1)
images, vectors = torch.randn(6, 2, 8, 8), torch.randn(7, 6)
net = cnn().train()
for _ in range(3):  # running averages that are not 0 and 1
    net(torch.randn(16, 2, 8, 8) * 1.5 + 0.2)
for m in net.modules():
    if isinstance(m, nn.BatchNorm2d):
        nn.init.uniform_(m.weight, 0.5, 1.5)
        nn.init.uniform_(m.bias, -0.3, 0.3)
net.eval()
dense = mlp().eval()

export(net, images, "torch-fused.onnx", opset_version=17)
export(net, images, "torch-batchnorm.onnx", opset_version=17, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
export(dense, vectors, "torch-external.onnx", opset_version=14)
onnx.save_model(onnx.load("torch-external.onnx"), "torch-external.onnx", save_as_external_data=True, location="torch-external.bin", size_threshold=0)

with open("torch.json", "w") as f:
    json.dump({"torch-fused": reference(fused(net), images), "torch-batchnorm": reference(net, images), "torch-external": reference(dense, vectors)}, f)
    f.write("\n")
