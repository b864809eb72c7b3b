// Puts the dealers nearest to the visitor first, if browser and visitor agree.
(function () {
  var told = document.getElementById("told"), list = document.getElementById("dealers");
  function sorry() { told.textContent = "We were not told where you are."; }
  function show(answer) {
    list.replaceChildren.apply(list, answer.dealers.map(function (dealer) {
      var row = document.createElement("tr");
      [dealer.dealer, dealer.city + ", " + dealer.country, dealer.distance + " km"].forEach(function (text) {
        row.appendChild(document.createElement("td")).textContent = text;
      });
      return row;
    }));
    told.textContent = "";
  }
  document.getElementById("near").addEventListener("click", function () {
    if (!navigator.geolocation) { sorry(); return; }
    navigator.geolocation.getCurrentPosition(function (here) {
      fetch("/dealers/near", {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({lat: here.coords.latitude, lon: here.coords.longitude})
      }).then(function (answer) {
        if (!answer.ok) { throw new Error(); }
        return answer.json().then(show);
      }).catch(sorry);
    }, sorry);
  });
})();
